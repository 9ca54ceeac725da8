//! Random policies, packets and damage, from one seed.

mod generate;
mod mutate;
mod policy;

pub use generate::Generator;
pub use mutate::mutate;
pub use policy::policy;
