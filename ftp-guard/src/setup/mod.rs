//! A first configuration for this host: a look at what there is ([`survey`]), a proposal from that
//! ([`plan`], which does no I/O), and files that are never overwritten unasked ([`write`](mod@write)).

mod interfaces;
pub mod plan;
mod servers;
pub mod survey;
mod template;
#[cfg(test)]
mod tests;
pub mod write;
