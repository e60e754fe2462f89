//! Rows of a plan as the tasks of Slurm's job arrays: submitted, watched, collected.

pub mod collected;
mod command;
pub mod error;
mod index_list;
pub mod states;
pub mod submit;
pub mod wait;
