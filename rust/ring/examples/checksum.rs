//! What the frame's checksum costs: `cargo run --release -p shadowlane-ring --example checksum`.
//!
//! For frames of several sizes, interleaved in one run: the time of a whole encode, and in it the share of XXH3-64 over
//! the whole frame, and of XXH3-64 over the fixed part, the headers and 64 samples of 64 bytes (the choice not taken).
//! Prints medians, and the middle half of the ratios, over the rounds.

use std::hint::black_box;
use std::time::Instant;

use shadowlane_ring::frame::Exchange;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const ROUNDS: usize = 201;
const SAMPLES: usize = 64;

fn sampled(frame: &[u8], head: usize) -> u64 {
    let (head, body) = frame.split_at(head.min(frame.len()));
    let mut hasher = Xxh3::new();
    hasher.update(head);
    let step = (body.len() / SAMPLES).max(64);
    for chunk in body.chunks(step) {
        hasher.update(&chunk[..chunk.len().min(64)]);
    }
    hasher.digest()
}

fn time(repeats: usize, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        work();
    }
    start.elapsed().as_nanos() as f64 / repeats as f64
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

fn main() {
    let headers: Vec<(&[u8], &[u8])> =
        (0..12).map(|_| (b"x-a-header-name".as_slice(), b"a value of thirty characters..".as_slice())).collect();
    println!("{:>9} {:>12} {:>9} {:>17} {:>9}", "body", "encode", "whole", "whole/encode", "sampled");
    for size in [0, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20] {
        let body: Vec<u8> = (0..size).map(|at: u32| (at * 31 + at / 251) as u8).collect();
        let exchange = Exchange {
            method: b"POST",
            target: b"/v1/chat/completions",
            headers: &headers,
            response_headers: &headers,
            response_body: &[&body],
            ..Exchange::default()
        };
        let mut out = vec![0; exchange.size().unwrap_or_default()];
        let head = out.len() - size as usize;
        let repeats = 1 + (4 << 20) / (out.len() * 8);
        let (mut encodes, mut wholes, mut samples, mut ratios) = (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let encode = time(repeats, || assert!(exchange.encode(black_box(&mut out))));
            let whole = time(repeats, || {
                black_box(xxh3_64(black_box(&out[8..])));
            });
            samples.push(time(repeats, || {
                black_box(sampled(black_box(&out), head));
            }));
            ratios.push(whole / encode);
            encodes.push(encode);
            wholes.push(whole);
        }
        println!(
            "{size:>9} {:>9.0} ns {:>6.0} ns {:>5.2} ({:.2}..{:.2}) {:>6.0} ns",
            quantile(&mut encodes, 0.5),
            quantile(&mut wholes, 0.5),
            quantile(&mut ratios, 0.5),
            quantile(&mut ratios, 0.25),
            quantile(&mut ratios, 0.75),
            quantile(&mut samples, 0.5),
        );
    }
}
