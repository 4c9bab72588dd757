//! What a response says, for the shapes of providers that most answers have, and what a request asks: read in one pass,
//! without a Python object for anything but the answer.
//!
//! Invariant: [`Reader::read`] gives the answer that the readers of `shadowlane.providers` give, or none. It gives none
//! wherever it is not certain: JSON that is not strict, a shape that it does not know, an error, a damaged stream.
//! Those readers then read the body: they know every shape, and say what is wrong.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod answer;
mod canonical;
mod citing;
mod draft;
mod eventstream;
mod fold;
mod json;
mod layers;
mod lists;
mod parse;
mod plain;
mod question;
mod reader;
mod shapes;
mod sse;
mod thinking;
mod usage;
mod words;

pub use answer::{Answer, Call, Citation};
pub use json::{Object, Value};
pub use parse::parse;
pub use question::{Question, QuestionNames, question};
pub use reader::Reader;
pub use shapes::{SHAPES, Shape};
pub use usage::UsageNames;
