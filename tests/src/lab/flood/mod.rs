//! Floods: thin ones of a packet socket ([`Flood`]) and, up to millions of frames a second, of a kernel
//! program ([`Generator`]).

mod burst;
mod generator;
mod recipe;
mod rig;
mod socket;

pub use self::{
    burst::{Burst, Fired},
    generator::{Generator, Offered, Rate},
    recipe::{Kind, Recipe},
    rig::{Rig, RigFlood, Turn},
    socket::{Flood, Pace, Sources},
};
