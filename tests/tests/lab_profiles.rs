//! Profiles and limits of a running guard, as its programs find them.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use anyhow::{Context, Result, ensure};
use aya::{
    Pod,
    maps::{Array, Map, MapData},
};
use ftp_guard_common::{
    config::GuardConfig,
    limits::{Profile, Rate},
    lookup::{
        Outcome,
        lines::{LANES, LINES_WORDS, LineMemory, Lines},
        v4,
    },
};
use ftp_guard_tests::{
    lab::{
        Site,
        guard::{self, Guard},
    },
    sys,
};

/// The pinned maps of a guard.
struct Pins(PathBuf);

impl Pins {
    fn of(guard: &Guard) -> Self {
        Self(guard.folder().outside(&guard.settings().pins()))
    }

    fn map(&self, name: &str) -> Result<MapData> {
        MapData::from_pin(self.0.join(name)).with_context(|| format!("open {name}"))
    }

    fn config(&self) -> Result<GuardConfig> {
        let map: Array<_, GuardConfig> = Map::Array(self.map("FTPG_CONFIG")?).try_into()?;
        Ok(map.get(&0, 0)?)
    }

    fn set_config(&self, config: GuardConfig) -> Result<()> {
        let mut map: Array<_, GuardConfig> = Map::Array(self.map("FTPG_CONFIG")?).try_into()?;
        Ok(map.set(0, config, 0)?)
    }

    /// The number that the entry of a source has, and the profile of that number.
    fn profile(&self, source: &str) -> Result<(u16, Profile)> {
        let arrays = Arrays::of(self)?;
        let address: Ipv4Addr = source.parse()?;
        let outcome = v4::find(&arrays, address.to_bits());
        ensure!(
            !outcome.has_row() && outcome > Outcome::EXCLUDED,
            "{outcome:?}"
        );
        let number = outcome.profile();
        let profiles: Array<_, Profile> = Map::Array(self.map("FTPG_PROFILES")?).try_into()?;
        Ok((number, profiles.get(&u32::from(number), 0)?))
    }
}

/// The allowlist's arrays of IPv4, read as the programs read them.
struct Arrays {
    known: Vec<u64>,
    root: Vec<u32>,
    bits: Vec<u64>,
    lines: Vec<[u64; LANES]>,
    head: Vec<u32>,
    pool: Array<MapData, u64>,
}

impl Arrays {
    fn of(pins: &Pins) -> Result<Self> {
        fn words<T: Pod>(pins: &Pins, name: &str, count: u32) -> Result<Vec<T>> {
            Ok(sys::first_value(&pins.map(name)?, count as usize)?)
        }
        let lines: Array<_, [u64; LANES]> = Map::Array(pins.map("FTPG_A4_LINES")?).try_into()?;
        let lines = lines.iter().collect::<Result<_, _>>()?;
        Ok(Self {
            known: words(pins, "FTPG_A4_KNOWN", v4::KNOWN_WORDS)?,
            root: words(pins, "FTPG_A4_ROOT", v4::ROOTS)?,
            bits: words(pins, "FTPG_A4_BITS", v4::GROUPS)?,
            lines,
            head: words(pins, "FTPG_A4_HEAD", LINES_WORDS)?,
            pool: Map::Array(pins.map("FTPG_A4_POOL")?).try_into()?,
        })
    }
}

impl LineMemory for Arrays {
    type Line = [u64; LANES];

    fn line(&self, index: u32) -> Option<&Self::Line> {
        self.lines.get(index as usize)
    }

    fn lane(line: &Self::Line, lane: usize) -> u64 {
        line[lane]
    }
}

impl v4::Memory for Arrays {
    fn known(&self, index: u32) -> u64 {
        self.known[index as usize]
    }

    fn root(&self, index: u32) -> u32 {
        self.root[index as usize]
    }

    fn bits(&self, index: u32) -> u64 {
        self.bits[index as usize]
    }

    fn head(&self) -> Lines {
        Lines::new(self.head[0], self.head[1])
    }

    fn pool(&self, index: u32) -> u64 {
        self.pool.get(&index, 0).unwrap_or(0)
    }
}

/// Writes the guard's files anew, with `lines` at the end of the configuration.
fn write(guard: &Guard, lines: &str, list: &str) -> Result<()> {
    let (folder, settings) = (guard.folder(), guard.settings());
    let text = settings.toml(&folder) + lines;
    fs::write(folder.outside(&settings.file()), text)?;
    fs::write(folder.outside(&settings.list_file()), list)?;
    Ok(())
}

#[test]
fn limits_reach_the_programs_and_names_keep_their_numbers() {
    Site::test(|site| {
        let mut guard = Guard::prepare(&site.server, guard::Settings::default())?;
        write(
            &guard,
            "[profile.slow]\nconnections_per_second = 3\nconnections_burst = 4\nmax_sessions = 5\n\
             [limits]\nipv6_source_prefix = 56\nattack_rate = 200\nsyn_cookies = \"off\"\n",
            "192.0.2.1 profile=slow\n192.0.2.2\n",
        )?;
        guard.launch()?;
        let pins = Pins::of(&guard);
        let (slow, profile) = pins.profile("192.0.2.1")?;
        ensure!(profile.connections == Rate::per_second(3, 4), "{profile:?}");
        ensure!((profile.sessions, profile.data) == (5, 16), "{profile:?}");
        let (number, profile) = pins.profile("192.0.2.2")?;
        ensure!((number, profile.sessions) == (0, 256), "{profile:?}");
        let first = pins.config()?;
        ensure!(first.network == Rate::per_second(1000, 5000), "{first:?}");
        ensure!(
            (first.source_bits_v6, first.attack_count, first.cookies) == (56, 20, 0),
            "{first:?}"
        );
        ensure!(first.handshakes == Rate::per_second(10, 20), "{first:?}");
        ensure!(first.secret != [0, 0], "no secret was drawn");

        // A name before the others, and other limits.
        write(
            &guard,
            "[profile.bulk]\nmax_sessions = 900\n[profile.slow]\nmax_sessions = 6\n\
             [limits]\nattack_rate = 300\n",
            "192.0.2.1 profile=slow\n192.0.2.2 profile=bulk\n",
        )?;
        guard.ask(&["reload"])?;
        let (number, profile) = pins.profile("192.0.2.1")?;
        ensure!((number, profile.sessions) == (slow, 6), "{number}");
        let (bulk, profile) = pins.profile("192.0.2.2")?;
        ensure!(profile.sessions == 900 && bulk != slow, "{bulk} {slow}");
        let second = pins.config()?;
        ensure!(
            (second.attack_count, second.source_bits_v6) == (30, 64),
            "{second:?}"
        );
        ensure!(second.secret == first.secret, "another secret");
        let test = guard.ask(&["allow", "test", "192.0.2.2"])?;
        ensure!(test["profile"]["max_sessions"] == 900, "{test}");
        ensure!(test["profile"]["name"] == "bulk", "{test}");
        let explained = guard.cli(&["explain", "192.0.2.1"])?;
        explained.says("limits: profile slow: connections 100/s")?;

        // What belongs to other parts of the daemon outlives a change of limits.
        guard.kill9()?;
        let others = GuardConfig {
            adopt_until_ns: 77,
            ..pins.config()?
        };
        pins.set_config(others)?;
        write(
            &guard,
            "[profile.other]\nmax_sessions = 7\n[profile.slow]\nmax_sessions = 8\n",
            "192.0.2.1 profile=slow\n192.0.2.2 profile=other\n192.0.2.3 profile=other\n",
        )?;
        guard.launch()?;
        let (number, profile) = pins.profile("192.0.2.1")?;
        ensure!((number, profile.sessions) == (slow, 8), "{number}");
        let (number, profile) = pins.profile("192.0.2.3")?;
        // Until the programs are replaced entries may be of bulk: its number is nobody else's.
        ensure!(number != slow && number != bulk, "{number}");
        ensure!(profile.sessions == 7, "{profile:?}");
        ensure!(pins.profile("192.0.2.2")? == (number, profile));
        let third = pins.config()?;
        ensure!(third.attack_count == 100, "{third:?}");
        ensure!(third.secret == first.secret, "another secret");
        ensure!(third.adopt_until_ns == 77, "{third:?}");
        Ok(())
    });
}
