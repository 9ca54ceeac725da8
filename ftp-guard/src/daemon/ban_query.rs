//! `ban-add`, `ban-remove` and `ban-list` as requests.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{guard::Guard, kernel::Kernel};
use crate::{
    control::{
        ban_view::{
            BanAbsentView, BanAddReport, BanAddedView, BanListReport, BanRemoveReport, BanTerms,
            BanView,
        },
        protocol::{Failure, Prefix},
        server::{Answer, Members},
    },
    datapath::DatapathError,
    engine::bans::{Ban, BanRequest, BanTable, Origin, Outcome, Term, check_text, keeps_out},
};

/// Who bans when nobody is named.
const NOBODY: &str = "cli";

impl<K: Kernel> Guard<K> {
    /// `ban-add`.
    ///
    /// # Errors
    ///
    /// Terms that no ban can have, a prefix that is never banned, a table that is full, a disk or kernel
    /// that refuses. Nothing has changed then.
    pub fn ban_add(
        &mut self,
        prefixes: &[Prefix],
        terms: &BanTerms,
    ) -> Result<BanAddReport, Failure> {
        let term = term(terms)?;
        let by = terms.by.as_deref().unwrap_or(NOBODY);
        check_text("name of who bans", by).map_err(Failure::usage)?;
        if let Some(reason) = &terms.reason {
            check_text("reason", reason).map_err(Failure::usage)?;
        }
        let requests: Vec<BanRequest> = distinct(prefixes)
            .map(|prefix| BanRequest {
                prefix,
                term,
                reason: terms.reason.clone(),
                origin: Origin::Cli,
                by: by.to_owned(),
                force: terms.force,
            })
            .collect();
        let outcomes = self.ban(&requests, true)?;
        let table = self.kernel.ban_table()?;
        let mut report = BanAddReport::default();
        for outcome in &outcomes {
            match outcome {
                Outcome::Banned(_) => report.banned += 1,
                Outcome::Prolonged(_) => report.prolonged += 1,
                Outcome::Present(_) => report.present += 1,
                Outcome::Refused(_) => {}
            }
            report.bans.extend(outcome.ban().map(|ban| BanAddedView {
                outcome: outcome.as_str().to_owned(),
                ban: self.ban_view(ban, &table),
                exempt: self.bans.book.never_inside(&ban.prefix).collect(),
            }));
        }
        Ok(report)
    }

    /// `ban-remove`.
    ///
    /// # Errors
    ///
    /// A disk or kernel that refuses. Nothing has changed then.
    pub fn ban_remove(
        &mut self,
        prefixes: &[Prefix],
        forget: bool,
    ) -> Result<BanRemoveReport, Failure> {
        let prefixes: Vec<IpNet> = distinct(prefixes).collect();
        let removals = self.unban(&prefixes, forget)?;
        let mut report = BanRemoveReport::default();
        for (prefix, removal) in prefixes.into_iter().zip(removals) {
            report.forgotten += u64::from(removal.forgotten);
            match removal.ban {
                Some(_) => report.removed.push(prefix),
                None => report.absent.push(BanAbsentView {
                    prefix,
                    banned_by: removal.wider,
                }),
            }
        }
        Ok(report)
    }

    /// `ban-list`: the bans in force, or those that are over.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn ban_list(&self, history: bool) -> Result<Answer, Failure> {
        let now = Timestamp::now();
        let table = self.kernel.ban_table()?;
        let book = &self.bans.book;
        let bans: Vec<BanView> = match history {
            true => book.history().map(BanView::from).collect(),
            false => book
                .bans()
                .filter(|ban| !ban.is_over(now))
                .map(|ban| self.ban_view(ban, &table))
                .collect(),
        };
        let report = BanListReport {
            bans: bans.len() as u64,
        };
        Ok(Answer {
            members: Some(Members::Bans(bans)),
            ..Answer::of(&report)?
        })
    }

    /// Whether an address is kept out now, and by which ban: the kernel decides, the book tells why.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(super) fn ban_over(
        &self,
        address: IpAddr,
    ) -> Result<(bool, Option<BanView>), DatapathError> {
        let found = self.kernel.ban_lookup(address)?;
        let Some((prefix, value)) = found.filter(|(_, value)| keeps_out(value)) else {
            return Ok((false, None));
        };
        let table = BanTable::from([(prefix, value)]);
        let ban = self.bans.book.get(&prefix);
        Ok((true, ban.map(|ban| self.ban_view(ban, &table))))
    }

    fn ban_view(&self, ban: &Ban, table: &BanTable) -> BanView {
        BanView {
            active: Some(table.get(&ban.prefix) == Some(&ban.value())),
            exempt_by: self.bans.book.never_over(&ban.prefix),
            ..BanView::from(ban)
        }
    }
}

/// The prefixes in their order, each once.
fn distinct(prefixes: &[Prefix]) -> impl Iterator<Item = IpNet> {
    let mut seen = BTreeSet::new();
    prefixes
        .iter()
        .map(|prefix| prefix.0)
        .filter(move |prefix| seen.insert(*prefix))
}

fn term(terms: &BanTerms) -> Result<Term, Failure> {
    match (terms.seconds, terms.until, terms.forever) {
        (None, None, false) => Ok(Term::Escalating),
        (Some(seconds), None, false) => Ok(Term::For(Duration::from_secs(seconds))),
        (None, Some(until), false) => Ok(Term::Until(until)),
        (None, None, true) => Ok(Term::Forever),
        _ => Err(Failure::usage(
            "a ban has one end: give one of `seconds`, `until` and `forever`",
        )),
    }
}
