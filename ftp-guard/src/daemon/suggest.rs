//! `allow-suggest`: what the history saw becomes entries that are proposed, as the guard stands now.

use std::{collections::HashSet, net::IpAddr};

use ftp_guard_common::config::Mode;
use ipnet::IpNet;
use jiff::Timestamp;

use super::{guard::Guard, kernel::Kernel};
use crate::{
    control::{
        protocol::Failure,
        server::{Answer, Members},
        suggest_view::{SuggestPast, SuggestReport, SuggestWanted, SuggestedEntry},
    },
    datapath::DatapathError,
    engine::{
        bans::keeps_out,
        suggest::{Present, Standing, propose},
    },
};

impl<K: Kernel> Guard<K> {
    /// `allow-suggest`.
    ///
    /// # Errors
    ///
    /// Nobody was seen and the guard enforces, so that nobody could be; the kernel refuses.
    pub fn allow_suggest(&self, wanted: &SuggestWanted) -> Result<Answer, Failure> {
        let past = wanted.past.as_deref();
        let past = past.ok_or_else(|| Failure::failed("this daemon keeps no history"))?;
        let SuggestPast {
            since,
            until,
            begins,
            sightings,
        } = past;
        let mode = self.mode_now()?.mode;
        if sightings.is_empty() && mode == Mode::Enforce {
            return Err(Failure::failed(format!(
                "nothing to propose from: since {} no client was seen that is not on the allowlist, as the \
                 guard enforces and their connections never come about; monitor mode collects the evidence: \
                 `ftp-guard mode monitor`, and ask again after some days",
                since.strftime("%FT%TZ")
            )));
        }
        let kept_out = self.kept_out()?;
        // What the kernel cannot tell of one address it will not tell of the next.
        let mut standings = Vec::with_capacity(sightings.len());
        for (address, _) in sightings.clients() {
            standings.push((address, self.standing(address)?));
        }
        let standing = |address: IpAddr| {
            let place = standings.binary_search_by_key(&address, |(known, _)| *known);
            place.map_or(Standing::NotListed, |place| standings[place].1)
        };
        let present = Present {
            standing: &standing,
            kept_out: &kept_out,
        };
        let suggestion = propose(sightings, &wanted.terms(), &present);
        let entries: Vec<SuggestedEntry> = suggestion
            .entries
            .into_iter()
            .map(SuggestedEntry::from)
            .collect();
        let report = Answer::of(&SuggestReport {
            since: *since,
            until: *until,
            history_begins: *begins,
            mode: mode.into(),
            clients: sightings.len() as u64,
            sessions: sightings.sessions(),
            sessions_not_counted: sightings.not_kept,
            proposed: entries.len() as u64,
            left_out: suggestion.left_out.into(),
        })?;
        Ok(Answer {
            members: Some(Members::Suggested(entries)),
            ..report
        })
    }

    /// What the guard would do with an address in enforce mode: the kernel's tables decide.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(super) fn standing(&self, address: IpAddr) -> Result<Standing, DatapathError> {
        let ban = self.kernel.ban_lookup(address)?;
        if ban.is_some_and(|(_, value)| keeps_out(&value)) {
            return Ok(Standing::Banned);
        }
        Ok(match self.kernel.lookup(address)? {
            Some((_, value)) if value.excludes() => Standing::Excluded,
            Some(_) => Standing::Listed,
            None if self.expired(address).is_some() => Standing::Expired,
            None => Standing::NotListed,
        })
    }

    /// The prefixes that are banned or excluded.
    fn kept_out(&self) -> Result<HashSet<IpNet>, DatapathError> {
        let now = Timestamp::now();
        let bans = self.bans.book.bans().filter(|ban| !ban.is_over(now));
        let mut kept_out: HashSet<IpNet> = bans.map(|ban| ban.prefix).collect();
        let table = self.kernel.allow_table()?;
        for (_, rows) in table.families() {
            let excluded = rows.iter().filter(|(_, value)| value.excludes());
            kept_out.extend(excluded.map(|(prefix, _)| *prefix));
        }
        Ok(kept_out)
    }
}
