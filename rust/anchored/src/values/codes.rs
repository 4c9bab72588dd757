//! Values that are no quantity: e-mail addresses, URLs, versions, identifiers, telephone numbers.
//!
//! Invariant: such a value is read whole, before any number in it is.

use std::borrow::Cow;

use super::Form;
use super::tokens::{Kind, Token};

/// A value of this file that begins at a token: its form, its comparable text, and the token behind it.
pub(crate) fn code<'t>(low: &'t str, tokens: &[Token], at: usize) -> Option<(Form, Cow<'t, str>, usize)> {
    let first = tokens.get(at)?;
    // A run of tokens without white space between them, less the marks at its end.
    let mut stop = at + 1;
    while tokens.get(stop).is_some_and(|token| !token.spaced && token.kind != Kind::Sign) {
        stop += 1;
    }
    if first.kind == Kind::Mark || first.kind == Kind::Sign {
        return (low.as_bytes().get(first.span.0) == Some(&b'+')).then(|| telephone(low, tokens, at)).flatten();
    }
    if let Some(found) = telephone(low, tokens, at) {
        return Some(found);
    }
    let text = low.get(first.span.0..tokens.get(stop - 1)?.span.1)?;
    let begins = at == 0 || first.spaced || tokens.get(at - 1).is_some_and(|token| token.kind != Kind::Word);
    if begins && (text.starts_with("http://") || text.starts_with("https://") || text.starts_with("www.")) {
        return url(text, tokens, at, stop);
    }
    if let Some(position) = text.find('@')
        && let Some(found) = email(text, position, tokens, at, stop)
    {
        return Some(found);
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    version(low, tokens, at).or_else(|| identifier(low, tokens, at, stop))
}

/// The token behind the last one that ends by `end`.
fn behind(tokens: &[Token], from: usize, end: usize) -> usize {
    from + tokens.get(from..).unwrap_or(&[]).iter().take_while(|token| token.span.1 <= end).count()
}

fn url<'t>(text: &'t str, tokens: &[Token], at: usize, stop: usize) -> Option<(Form, Cow<'t, str>, usize)> {
    let end = text.find(['<', '>', '"', '`', ')', ']', '“', '”', '|']).unwrap_or(text.len());
    let body = text.get(..end)?.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_', '\'']);
    let (_, host) = body.split_once("://").unwrap_or(("", body));
    let key = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('/');
    let next = behind(tokens, at, tokens.get(at)?.span.0 + body.len()).min(stop);
    (!key.is_empty() && next > at).then_some((Form::Url, Cow::Borrowed(key), next))
}

fn email<'t>(
    text: &'t str,
    position: usize,
    tokens: &[Token],
    at: usize,
    stop: usize,
) -> Option<(Form, Cow<'t, str>, usize)> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+');
    let (name, rest) = (text.get(..position)?, text.get(position + 1..)?);
    let size = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
    let host = rest.get(..size)?.trim_end_matches(['.', '-', '_', '+']);
    let real = !name.is_empty() && name.chars().all(part) && host.contains('.');
    let end = tokens.get(at)?.span.0 + position + 1 + host.len();
    real.then(|| {
        (
            Form::Email,
            Cow::Borrowed(text.get(..position + 1 + host.len()).unwrap_or(text)),
            behind(tokens, at, end).min(stop),
        )
    })
}

/// `1.2.3`, `v1.2`, `2.0.1-beta`: three runs of digits, or two behind a `v`.
fn version<'t>(low: &'t str, tokens: &[Token], at: usize) -> Option<(Form, Cow<'t, str>, usize)> {
    let first = tokens.get(at)?;
    let marked = low.get(first.span.0..first.span.1) == Some("v");
    let number = if marked { tokens.get(at + 1).filter(|token| !token.spaced)? } else { first };
    let digits = low.get(number.span.0..number.span.1)?;
    let runs = digits.split('.').count();
    let plain =
        number.kind == Kind::Number && digits.split('.').all(|run| run.bytes().all(|byte| byte.is_ascii_digit()));
    // 12.11.2024 is a date.
    let date = runs == 3 && digits.rsplit('.').next().is_some_and(|last| last.len() == 4);
    let enough = if marked { runs >= 1 } else { runs >= 3 };
    (plain && enough && !date).then(|| (Form::Version, Cow::Borrowed(digits), at + 1 + usize::from(marked)))
}

/// Letters and digits in one, with hyphens: `ord-48213`, `a4b7`; eight digits or more; what follows a `#`.
fn identifier<'t>(low: &'t str, tokens: &[Token], at: usize, stop: usize) -> Option<(Form, Cow<'t, str>, usize)> {
    let first = tokens.get(at)?;
    let mark = |token: &Token| low.get(token.span.0..token.span.1).unwrap_or("");
    let mut end = at;
    while end < stop {
        let token = tokens.get(end)?;
        let joins = matches!(mark(token), "-" | "_" | "/")
            && end > at
            && tokens.get(end + 1).is_some_and(|next| end + 1 < stop && next.kind != Kind::Mark);
        if !(matches!(token.kind, Kind::Word | Kind::Number) || joins) {
            break;
        }
        end += 1;
    }
    let text = low.get(first.span.0..tokens.get(end.checked_sub(1)?)?.span.1)?;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let numbered = at > 0 && tokens.get(at - 1).is_some_and(|before| mark(before) == "#" && !first.spaced);
    let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '/'));
    let parts = text.split(['-', '_', '/']).count();
    // "24-hour", "2024-03-05", "km/h" and "30-tage-frist" are none; "ord-48213", "x7k2p" and "4711-0815-22" are.
    let mixed = letters >= 1
        && digits >= 2
        && text.split(['-', '_', '/']).any(|part| {
            let (own_letters, own_digits) =
                (part.bytes().any(|byte| byte.is_ascii_alphabetic()), part.bytes().filter(u8::is_ascii_digit).count());
            (own_letters && own_digits >= 2 && part.len() >= 4 && !part.starts_with(|head: char| head.is_ascii_digit()))
                || (!own_letters && own_digits >= 3 && first.kind == Kind::Word)
                || (own_letters && own_digits >= 3 && part.len() >= 6 && changes(part) >= 2)
        });
    let coded = text.contains('_') && letters > 0;
    let long = letters == 0 && parts == 1 && digits >= 8 && digits == text.len();
    let several = letters == 0 && parts >= 3 && digits >= 9 && !text.contains('/');
    (plain && (mixed || long || several || coded || (numbered && digits >= 1))).then_some((
        Form::Identifier,
        Cow::Borrowed(text),
        end,
    ))
}

/// How often letters and digits take turns: 1970er once, 4h7x2 four times.
fn changes(part: &str) -> usize {
    let digits = part.bytes().map(|byte| byte.is_ascii_digit());
    digits.clone().zip(digits.skip(1)).filter(|(one, next)| one != next).count()
}

/// `+49 30 1234567`, `0800 123 4567`, `(030) 1234-567`: seven digits or more in groups, of which the first begins with a
/// plus sign or a zero.
fn telephone<'t>(low: &'t str, tokens: &[Token], at: usize) -> Option<(Form, Cow<'t, str>, usize)> {
    let text = |token: &Token| low.get(token.span.0..token.span.1).unwrap_or("");
    let first = tokens.get(at)?;
    let signed = text(first) == "+";
    let zero = first.kind == Kind::Number
        && text(first).starts_with('0')
        && text(first).bytes().all(|byte| byte.is_ascii_digit());
    if !signed && !zero {
        return None;
    }
    let (mut digits, mut end, mut groups) = (String::new(), at + usize::from(signed), 0);
    while let Some(token) = tokens.get(end).filter(|token| token.sentence == first.sentence) {
        let part = text(token);
        if token.kind == Kind::Number && part.bytes().all(|byte| byte.is_ascii_digit()) {
            digits.push_str(part);
            groups += 1;
        } else if !matches!(part, "-" | "/" | "(" | ")") {
            break;
        }
        end += 1;
    }
    while end > at && tokens.get(end - 1).is_some_and(|token| token.kind == Kind::Mark) {
        end -= 1;
    }
    let real = (7..=15).contains(&digits.len()) && (signed || groups >= 2);
    // The digits alone: spaces and hyphens are set at will.
    real.then_some((Form::Identifier, Cow::Owned(digits), end))
}
