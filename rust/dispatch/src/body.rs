//! Reading a shadow's body within a bound, undoing its content codings on the way (RFC 9110 §8.4).
//!
//! Invariant: no more than `limit` decoded bytes, and one step's output of each coding, are ever held, whatever the
//! compression ratio. What one coding hands to the next is bounded too.
//!
//! Said like it is meant by prod's own clients: `identity` and empty members are nothing, `x-gzip` is gzip, several
//! codings are undone from the last to the first, and a word that names no compression (`utf-8`, `none`, `aws-chunked`)
//! leaves the bytes as they are.

use shadowlane_redact::inflate::{State, inflate};

use crate::fault::Fault;
use crate::gzip::{Damaged, Inflate};

const MOST_CODINGS: usize = 5;
const WHOLE: [&str; 2] = ["br", "zstd"]; // undone at the end
const UNREADABLE: [&str; 8] = ["compress", "x-compress", "dcb", "dcz", "exi", "lz4", "pack200-gzip", "snappy"];

const DAMAGED: Fault = Fault::Transport("the answer's compressed body is damaged");
const CUT: Fault = Fault::Transport("the answer's compressed body ended early");

/// A body on its way.
pub struct BoundedBody {
    limit: usize,
    body: Vec<u8>,
    whole: bool,
    stages: Vec<Inflate>,
    over: bool,
}

impl BoundedBody {
    /// `encoding` as in RFC 9110 §8.4; `limit` in decoded bytes.
    pub fn new(encoding: &str, limit: usize) -> Result<Self, Fault> {
        let named: Vec<String> = encoding
            .split(',')
            .map(|part| part.trim_matches([' ', '\t', '"']).to_ascii_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        if named.iter().any(|word| UNREADABLE.contains(&word.as_str())) {
            return Err(Fault::Transport(
                "the answer has a content-encoding that is not read; gzip, deflate, br and zstd are",
            ));
        }
        let is_gzip = |word: &str| word == "gzip" || word == "x-gzip";
        let codings: Vec<&str> = named
            .iter()
            .map(String::as_str)
            .filter(|word| is_gzip(word) || *word == "deflate" || WHOLE.contains(word))
            .collect();
        if codings.len() > MOST_CODINGS {
            return Err(Fault::Transport("the answer has more than 5 content-encodings"));
        }
        let whole = codings.first().is_some_and(|word| WHOLE.contains(word));
        if codings.iter().skip(1).any(|word| WHOLE.contains(word)) {
            return Err(Fault::Transport(
                "the answer has br or zstd above another content-encoding, which is not read",
            ));
        }
        let stages =
            codings[usize::from(whole)..].iter().rev().map(|word| Inflate::new(is_gzip(word), limit)).collect();
        Ok(Self { limit, body: Vec::new(), whole, stages, over: false })
    }

    /// Take a chunk as received. `false` when the decoded body is over the limit; it is then cut there.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<bool, Fault> {
        through(&mut self.stages, chunk, &mut self.body, self.limit).map_err(|Damaged| DAMAGED)?;
        self.over = self.body.len() > self.limit || self.stages.iter().any(|stage| stage.over);
        self.body.truncate(self.limit);
        Ok(!self.over)
    }

    /// The decoded body, cut at the limit, and whether it was longer.
    pub fn finish(self) -> Result<(Vec<u8>, bool), Fault> {
        if self.over {
            return Ok((if self.whole { Vec::new() } else { self.body }, true));
        }
        if self.stages.iter().any(Inflate::is_cut) {
            return Err(CUT);
        }
        if !self.whole || self.body.is_empty() {
            return Ok((self.body, false));
        }
        match inflate(&self.body, self.limit) {
            None => Err(DAMAGED),
            Some(found) => match found.state {
                State::Cut => Err(CUT),
                State::Damaged => Err(DAMAGED),
                State::Whole => Ok((found.data, false)),
                State::Longer => Ok((found.data, true)),
            },
        }
    }
}

/// The chunk through the codings into `body`. `false`: it is full.
fn through(stages: &mut [Inflate], chunk: &[u8], body: &mut Vec<u8>, limit: usize) -> Result<bool, Damaged> {
    let Some((first, rest)) = stages.split_first_mut() else {
        let room = (limit + 1).saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        return Ok(body.len() <= limit);
    };
    first.feed(chunk, &mut |piece| through(rest, piece, body, limit))
}
