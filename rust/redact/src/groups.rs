//! Which texts of a body may be pieces of one: those of one path, those of one name, and of each the ones that a scalar
//! beside them tells apart (`index`, `id`, a position in an array), before or behind them.
//!
//! Invariant: a group's texts are in their order; no text is in more groups than there are subsets of [`KEYS`] scalars, by its path and
//! by its name, so that looking at all groups takes linear time.

use super::pieces::{NONE, Piece, Pieces};

/// Scalars by which one set of texts is parted, alone and together.
const KEYS: usize = 3;
/// Kinds of scalars that are looked at, and how many objects upward.
const SCALARS: usize = 48;
const UPWARD: usize = 6;
/// Columns of values that are held at once: a body may have a million texts.
const AT_ONCE: usize = 8;
/// Texts of one body that are looked at in turns.
const ONE_DOCUMENT: usize = 512;
/// Pieces are no longer, on average.
const SHORT: usize = 64;

/// Call `each` with every group of two or more texts, as positions in `pieces.list`; and with lists of bytes alone too.
/// `apart` says of texts of one path that they are no pieces.
pub(super) fn each(pieces: &Pieces, apart: impl Fn(&[u32]) -> bool, mut each: impl FnMut(&[u32])) {
    let of = |index: u32| pieces.list.get(index as usize);
    let documents = (pieces.list.first().map(|piece| piece.document), pieces.list.last().map(|piece| piece.document));
    let one_document = documents.0 == documents.1;
    // In one body nothing reaches over a seam where no sign stands near one.
    let quiet = |members: &[u32]| {
        one_document && !members.iter().filter_map(|index| of(*index)).any(|piece| piece.signs.0 || piece.signs.1)
    };
    let order = ordered(pieces, |piece| piece.path);
    let mut varying = Vec::new();
    for members in order.chunk_by(|one, next| of(*one).map(|piece| piece.path) == of(*next).map(|piece| piece.path)) {
        let lists = members.first().and_then(|first| of(*first)).is_some_and(Piece::is_list);
        if lists && members.len() == 1 {
            each(members);
        }
        if members.len() > 1 {
            if quiet(members) || apart(members) {
                continue;
            }
            each(members);
            parted(pieces, members, &mut each);
        }
        varying.extend_from_slice(members);
    }
    // In one body a name at another path is another thing.
    if one_document {
        return;
    }
    varying.sort_by_cached_key(|index| (of(*index).map(|piece| piece.name), *index));
    for members in varying.chunk_by(|one, next| of(*one).map(|piece| piece.name) == of(*next).map(|piece| piece.name)) {
        let path = |index: &u32| of(*index).map(|piece| piece.path);
        let first = members.first().and_then(path);
        let document = |index: Option<&u32>| index.and_then(|index| of(*index)).map(|piece| piece.document);
        let stream = document(members.first()) != document(members.last());
        if stream && members.iter().any(|member| path(member) != first) && !apart(members) {
            each(members);
            parted(pieces, members, &mut each);
        }
    }
}

/// The texts by a hash of each, and in their order.
fn ordered(pieces: &Pieces, by: impl Fn(&Piece) -> u64) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = pieces.list.iter().zip(0_u32..).map(|(piece, index)| (by(piece), index)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, index)| index).collect()
}

impl Piece {
    fn is_list(&self) -> bool {
        self.written == super::pieces::Written::Bytes
    }
}

/// What is said beside a text: hashes of what, and of its value.
fn beside(pieces: &Pieces, index: u32, mut found: impl FnMut(u64, u64)) {
    let Some(piece) = pieces.list.get(index as usize) else { return };
    if piece.index != NONE {
        found(0, u64::from(piece.index));
    }
    let mut next = piece.owner;
    for _ in 0..UPWARD {
        let Some(owner) = pieces.owner(next) else { return };
        for (key, value) in pieces.scalars(next) {
            found(key, value);
        }
        if owner.array != 0 {
            found(owner.array, u64::from(owner.index));
        }
        next = owner.parent;
    }
}

/// The groups that scalars part a group into, where their texts come in turns.
fn parted(pieces: &Pieces, members: &[u32], each: &mut impl FnMut(&[u32])) {
    let piece = |index: &u32| pieces.list.get(*index as usize);
    let one_document = members.first().and_then(piece).map(|piece| piece.document)
        == members.last().and_then(piece).map(|piece| piece.document);
    let length: usize = members.iter().filter_map(piece).map(|piece| piece.range().len()).sum();
    // Two texts in turns are one of each. A table in one body is no stream, and neither are the turns of a conversation.
    if members.len() < 3 || (one_document && (members.len() > ONE_DOCUMENT || length > SHORT * members.len())) {
        return;
    }
    if !members.iter().filter_map(piece).any(|piece| piece.signs.0 || piece.signs.1) {
        return;
    }
    let mut turns: Vec<(usize, Vec<u64>)> = Vec::new();
    for keys in telling(pieces, members).chunks(AT_ONCE) {
        for column in columns(pieces, members, keys) {
            if let Some(count) = in_turns(&column) {
                turns.push((count, column));
            }
        }
    }
    turns.sort_by_key(|(count, _)| *count);
    let columns: Vec<Vec<u64>> = turns.into_iter().take(KEYS).map(|(_, column)| column).collect();
    for subset in 1..1_usize << columns.len() {
        let chosen = || columns.iter().enumerate().filter(|(bit, _)| subset >> bit & 1 == 1).map(|(_, column)| column);
        let mut keyed: Vec<(u64, u32)> = members
            .iter()
            .enumerate()
            .map(|(position, index)| {
                let values = chosen().map(|column| column.get(position).copied().unwrap_or(0));
                let key =
                    values.fold(0_u64, |key, value| (key.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                (key, *index)
            })
            .collect();
        keyed.sort_unstable();
        for group in keyed.chunk_by(|one, next| one.0 == next.0).filter(|group| group.len() > 1) {
            let group: Vec<u32> = group.iter().map(|(_, index)| *index).collect();
            each(&group);
        }
    }
}

/// The keys whose values differ among some texts.
fn telling(pieces: &Pieces, members: &[u32]) -> Vec<u64> {
    let mut seen: Vec<(u64, u64, bool)> = Vec::new();
    for (position, index) in members.iter().enumerate() {
        beside(pieces, *index, |key, value| {
            if let Some((_, first, varies)) = seen.iter_mut().find(|(other, _, _)| *other == key) {
                *varies |= *first != value;
            } else if seen.len() < SCALARS {
                seen.push((key, value, position > 0));
            }
        });
    }
    seen.into_iter().filter(|(_, _, varies)| *varies).map(|(key, _, _)| key).collect()
}

/// The first value of each key beside each text, plus one; 0 where there is none.
fn columns(pieces: &Pieces, members: &[u32], keys: &[u64]) -> Vec<Vec<u64>> {
    let mut columns = vec![vec![0; members.len()]; keys.len()];
    for (position, index) in members.iter().enumerate() {
        beside(pieces, *index, |key, value| {
            let column = keys.iter().position(|wanted| *wanted == key).and_then(|column| columns.get_mut(column));
            if let Some(slot) = column.and_then(|column| column.get_mut(position)).filter(|slot| **slot == 0) {
                *slot = value.wrapping_add(1);
            }
        });
    }
    columns
}

/// How many values a column has, when they come in turns: fewer than texts, and one of them again after another.
fn in_turns(column: &[u64]) -> Option<usize> {
    let runs = column.chunk_by(|one, next| one == next).count();
    if runs < 3 {
        return None;
    }
    let mut values = column.to_vec();
    values.sort_unstable();
    values.dedup();
    (values.len() > 1 && values.len() < column.len() && runs > values.len()).then_some(values.len())
}
