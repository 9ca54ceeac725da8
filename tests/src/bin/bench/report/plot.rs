//! Pictures.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// Size of a picture, in pixels.
const WIDTH: u32 = 760;
const LINES_HEIGHT: u32 = 380;
const BAR_HEIGHT: u32 = 34;
/// Above and below the bars: title, axis.
const BARS_FRAME: u32 = 110;
const FONT: &str = "sans-serif";
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0x7f, 0x7f, 0x7f),
];

/// A picture.
pub struct Plot {
    /// The file, without `.svg`.
    pub file: &'static str,
    pub title: String,
    pub kind: PlotKind,
}

/// What a picture shows.
pub enum PlotKind {
    /// A bar for each name.
    Bars {
        unit: &'static str,
        bars: Vec<(String, f64)>,
    },
    /// A line for each name, over a scale of tens.
    Lines {
        across: &'static str,
        up: &'static str,
        lines: Vec<(String, Vec<(f64, f64)>)>,
    },
}

impl Plot {
    /// The picture as SVG.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        match &self.kind {
            PlotKind::Bars { unit, bars } => {
                let height = BARS_FRAME + BAR_HEIGHT * u32::try_from(bars.len())?;
                let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
                draw_bars(&area, &self.title, unit, bars).map_err(|error| anyhow!("{error}"))?;
            }
            PlotKind::Lines { across, up, lines } => {
                let size = (WIDTH, LINES_HEIGHT);
                let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
                draw_lines(&area, &self.title, across, up, lines)
                    .map_err(|error| anyhow!("{error}"))?;
            }
        }
        Ok(svg)
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_bars(area: &Area<'_>, title: &str, unit: &str, bars: &[(String, f64)]) -> Drawn {
    area.fill(&WHITE)?;
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let end = if most > 0.0 { most * 1.12 } else { 1.0 };
    let count = i32::try_from(bars.len())?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(42)
        .y_label_area_size(210)
        .build_cartesian_2d(0.0..end, (0..count).into_segmented())?;
    let name = |place: &SegmentValue<i32>| match place {
        SegmentValue::CenterOf(row) => {
            // The first one on top.
            let row = usize::try_from(count - 1 - row).unwrap_or(usize::MAX);
            bars.get(row).map_or_else(String::new, |bar| bar.0.clone())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_desc(unit)
        .y_labels(bars.len())
        .y_label_formatter(&name)
        .label_style((FONT, 13))
        .draw()?;
    for (number, (_, value)) in (0..).zip(bars) {
        let row = count - 1 - number;
        let corners = [
            (0.0, SegmentValue::Exact(row)),
            (*value, SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, COLOURS[number as usize % COLOURS.len()].filled());
        bar.set_margin(4, 4, 0, 0);
        chart.draw_series([bar])?;
        chart.draw_series([Text::new(
            format!(" {value:.2}"),
            (*value, SegmentValue::CenterOf(row)),
            (FONT, 13),
        )])?;
    }
    Ok(area.present()?)
}

fn draw_lines(
    area: &Area<'_>,
    title: &str,
    across: &str,
    up: &str,
    lines: &[(String, Vec<(f64, f64)>)],
) -> Drawn {
    area.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|(_, points)| points);
    let most = points().map(|(_, y)| *y).fold(0.0, f64::max).max(0.1);
    let first = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(
            (first.min(last / 10.0)..last * 1.2).log_scale(),
            0.0..most * 1.1,
        )?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .label_style((FONT, 13))
        .draw()?;
    for (number, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(line)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 12))
        .position(SeriesLabelPosition::LowerLeft)
        .draw()?;
    Ok(area.present()?)
}
