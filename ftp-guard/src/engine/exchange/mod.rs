//! What other programs write about sources, read into entries of the allowlist, and written from
//! them: a file per format, sans-IO.
//!
//! Readers turn a text into an [`Imported`]: prefixes, what is said of them, and the lines that say
//! nothing we can take. [`aggregate()`] and [`Comparison`] work on that, [`text_of`] makes the text
//! that the daemon takes. Writers are in [`write`](mod@write).

mod aggregate;
mod cidr;
mod collect;
mod compare;
mod detect;
mod durations;
mod hosts;
mod ipset;
mod json;
mod list;
mod nft;
mod nft_json;
mod rir;
mod source;
mod table;
pub mod write;

pub use aggregate::{Aggregated, Merged, aggregate};
pub use collect::{Imported, Item, MAX_ITEMS, Mistake, Refused, Settings, SettingsTable};
pub use compare::{Comparison, Overlap, compare};
pub use detect::detect;
pub use list::text_of;
pub use table::geonames;

use std::collections::HashSet;

use jiff::Timestamp;

use self::collect::Collector;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The allowlist files' own
    List,
    /// Prefixes, addresses and ranges, one a line
    Cidr,
    /// What `nft list set` prints, and what `nft -f` takes
    Nft,
    /// What `nft -j list set` prints
    NftJson,
    /// What `ipset save` prints
    Ipset,
    /// The rules of TCP wrappers
    HostsAllow,
    /// JSON with prefixes under known or given keys
    Json,
    /// Tables with a header or start,end,country
    Csv,
    /// Statistics of the regional internet registries
    Rir,
}

impl Format {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Cidr => "cidr",
            Self::Nft => "nft",
            Self::NftJson => "nft-json",
            Self::Ipset => "ipset",
            Self::HostsAllow => "hosts-allow",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Rir => "rir",
        }
    }
}

/// What is taken of a text.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What durations in the text count from: when it was written.
    pub written: Timestamp,
    /// What is over at this time is left out.
    pub now: Timestamp,
    /// Countries, two capital letters each; all if empty.
    pub countries: Vec<String>,
    /// Fields and the values that they must have; several values of one field are alternatives.
    pub filters: Vec<(String, String)>,
    /// Keys of JSON that hold prefixes; the known ones if empty.
    pub keys: Vec<String>,
    /// Names of sets; any if empty.
    pub sets: Vec<String>,
    /// Numbers of the places in `countries`, for tables that name places by number.
    pub geonames: Option<HashSet<String>>,
}

/// Reads `text`.
///
/// # Errors
/// When the text as a whole cannot be taken: broken JSON, more prefixes than [`MAX_ITEMS`], sets
/// among which one has to be chosen, a filter for something that does not occur. Lines that are not
/// understood are no such error; they are in the result.
pub fn read(text: &str, format: Format, options: &Options) -> Result<Imported, Refused> {
    let text = text
        .strip_prefix(crate::diagnostic::BYTE_ORDER_MARK)
        .unwrap_or(text);
    let filters = !options.filters.is_empty();
    if filters && !matches!(format, Format::Json | Format::Csv) {
        return Err(no_use("--filter", "json and csv", format));
    }
    if !options.countries.is_empty() && !matches!(format, Format::Csv | Format::Rir) {
        return Err(no_use("--country", "csv and rir", format));
    }
    if !options.keys.is_empty() && format != Format::Json {
        return Err(no_use("--key", "json", format));
    }
    let sets = matches!(format, Format::Nft | Format::NftJson | Format::Ipset);
    if !options.sets.is_empty() && !sets {
        return Err(no_use("--set", "nft, nft-json and ipset", format));
    }
    let mut into = Collector::new(options);
    match format {
        Format::List => list::read(text, &mut into),
        Format::Cidr => cidr::read(text, &mut into),
        Format::Nft => nft::read(text, &mut into),
        Format::NftJson => nft_json::read(text, &mut into),
        Format::Ipset => ipset::read(text, &mut into),
        Format::HostsAllow => hosts::read(text, &mut into),
        Format::Json => json::read(text, &mut into),
        Format::Csv => table::read(text, &mut into),
        Format::Rir => rir::read(text, &mut into),
    }
    into.finish()
}

fn no_use(option: &str, formats: &str, format: Format) -> Refused {
    Refused::new(format!(
        "{option} is for the formats {formats}; this is {}",
        format.name()
    ))
}

#[cfg(test)]
mod tests;
