//! Drawings as SVG, for a file of their own and for a page: what they are made of.
//!
//! Every mark says what it is in a `title`, which a browser shows under a pointer and reads aloud; a
//! page's script shows the same at once. Colours are classes, so that a drawing is light or dark as its
//! reader is.

pub(crate) mod axis;
pub(crate) mod bars;
pub(crate) mod drawing;
pub(crate) mod file;
pub(crate) mod labels;
pub(crate) mod legend;
pub(crate) mod text;
pub(crate) mod tier;
