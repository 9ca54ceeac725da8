//! Profiles and limits of a running guard, as its programs find them.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, LpmTrie, Map, MapData, lpm_trie::Key};
use ftp_guard_common::{
    allow::AllowValue,
    config::GuardConfig,
    limits::{Profile, Rate},
};
use ftp_guard_tests::lab::{
    Site,
    guard::{self, Guard},
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
        let table: LpmTrie<_, [u8; 4], AllowValue> =
            Map::LpmTrie(self.map("FTPG_ALLOW_V4")?).try_into()?;
        let address: Ipv4Addr = source.parse()?;
        let number = table.get(&Key::new(32, address.octets()), 0)?.profile;
        let profiles: Array<_, Profile> = Map::Array(self.map("FTPG_PROFILES")?).try_into()?;
        Ok((number, profiles.get(&u32::from(number), 0)?))
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
        // All entries of bulk are now of other: it is the same profile by another name.
        ensure!((number, profile.sessions) == (bulk, 7), "{number}");
        ensure!(pins.profile("192.0.2.2")? == (number, profile));
        let third = pins.config()?;
        ensure!(third.attack_count == 100, "{third:?}");
        ensure!(third.secret == first.secret, "another secret");
        ensure!(third.adopt_until_ns == 77, "{third:?}");
        Ok(())
    });
}
