//! Random policies, packets and damage, from one seed.

use anyhow::Context;

mod generate;
mod mutate;
mod policy;

pub use generate::Generator;
pub use mutate::mutate;
pub use policy::policy;

/// A number from the environment, or the default when the variable is not set.
///
/// # Errors
///
/// The variable holds no number.
pub fn number_from_env(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{name} must be a whole number, not \"{text}\"")),
        Err(_) => Ok(default),
    }
}
