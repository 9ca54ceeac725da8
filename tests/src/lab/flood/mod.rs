//! Floods: thin ones of a packet socket ([`Flood`]) and, up to millions of frames a second, of a kernel
//! program ([`Generator`]).

mod generator;
mod recipe;
mod socket;

pub use self::{
    generator::{Generator, Offered, Rate},
    recipe::{Kind, Recipe},
    socket::{Flood, Pace, Sources},
};
