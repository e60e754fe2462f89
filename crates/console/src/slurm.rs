//! A sweep by tasks on machines of a cluster, one a row.

pub(crate) mod collect;
pub(crate) mod flags;
pub(crate) mod row;
pub(crate) mod submit;
