use shadowlane_core::sanitize::{Options, Sanitizer};
fn main() {
    let mut args = std::env::args().skip(1);
    let body = std::fs::read(args.next().unwrap()).unwrap();
    let times: usize = args.next().unwrap().parse().unwrap();
    let sanitizer = Sanitizer::new(&Options::default()).unwrap();
    let start = std::time::Instant::now();
    for _ in 0..times {
        std::hint::black_box(sanitizer.json(&body).unwrap());
    }
    println!("{:.1} MB/s", (body.len() * times) as f64 / start.elapsed().as_secs_f64() / 1e6);
}
