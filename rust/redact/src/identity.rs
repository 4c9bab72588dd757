//! Identity numbers of digits only: tables of shapes and check digits say what a number in groups can be.
//!
//! Invariant: a bare run of digits is one only with a word that names it, or when it is all that a text says and has a
//! check digit: ids and timestamps look alike. A number whose name stands right before it needs no check digit.

use super::checks;
use super::context::{self, Contexts};
use super::hit::{Hit, better};
use super::kinds::Kind;
use super::text::Text;

/// Identity numbers of digits only: how many, the shapes in which signs part them and how sure each makes, how sure a
/// bare run makes, the check, and the context.
struct Rule {
    kind: Kind,
    count: usize,
    shapes: &'static [(&'static [u8], u8)],
    bare: u8,
    check: fn(&[u8]) -> bool,
    near: Contexts,
}

macro_rules! rules {
    ($($kind:ident $count:literal [$($shape:literal $base:literal),*] $bare:literal $check:ident $near:expr;)*) => {
        &[$(Rule {
            kind: Kind::$kind, count: $count, shapes: &[$(($shape, $base)),*], bare: $bare, check: checks::$check, near: $near,
        },)*]
    };
}

/// 15 to 20: standing alone is enough; 10 to 14: only a context word is. Nine digits pass one of these checks too often
/// to be anything by themselves.
const RULES: &[Rule] = rules! {
    CA_SIN 9 [b"3-3-3" 60, b"3 3 3" 35] 14 sin context::SIN;
    US_SSN 9 [b"3-2-4" 80, b"3 2 4" 45, b"3.2.4" 45, b"3/2/4" 45] 12 ssn context::SSN;
    US_ITIN 9 [b"3-2-4" 70, b"3 2 4" 45] 12 itin context::ITIN;
    AU_TFN 9 [b"3 3 3" 30, b"3-3-3" 30] 14 tfn context::TFN;
    AU_ACN 9 [b"3 3 3" 32, b"3-3-3" 32] 14 acn context::ACN;
    DE_BSNR 9 [] 12 any context::DOCTOR;
    DE_LANR 9 [] 14 lanr context::DOCTOR;
    NL_BSN 9 [b"4.2.3" 60] 12 eleven_test context::DUTCH;
    US_BANK_ROUTING 9 [] 12 routing context::ROUTING;
    UK_NHS 10 [b"3 3 4" 60, b"3-3-4" 45] 17 nhs context::NHS;
    US_NPI 10 [] 12 npi context::NPI;
    AU_MEDICARE 10 [b"4 5 1" 60, b"4-5-1" 60] 16 medicare context::MEDICARE;
    KR_BRN 10 [b"3-2-5" 65] 16 korean_business context::KOREA;
    SE_PERSONNUMMER 10 [b"6-4" 65] 17 swedish context::SWEDISH;
    SE_PERSONNUMMER 12 [b"8-4" 70] 18 swedish context::SWEDISH;
    SE_ORG 10 [b"6-4" 45] 12 swedish_org context::SWEDISH;
    DE_TAX_NUMBER 10 [b"2/3/5" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 11 [b"3/3/5" 45, b"3/4/4" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 10 [b"2/4/4" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 13 [] 11 any context::GERMAN_TAX;
    DE_TAX_ID 11 [b"2 3 3 3" 60] 18 german_tax context::GERMAN_TAX;
    AU_ABN 11 [b"2 3 3 3" 60] 17 abn context::ABN;
    TR_NATIONAL_ID 11 [] 20 turkish context::TURKISH;
    PL_PESEL 11 [] 17 pesel context::POLISH;
    BR_CPF 11 [b"3.3.3-2" 80] 15 cpf context::BRAZIL;
    NO_FNR 11 [b"6 5" 60, b"6-5" 60] 19 norwegian context::NORDIC;
    NG_NIN 11 [] 16 verhoeff context::NIGERIA;
    BE_NN 11 [b"2.2.2-3.2" 80] 17 belgian context::DOCUMENT;
    IT_VAT_CODE 11 [] 12 luhn context::VAT;
    IN_AADHAAR 12 [b"4 4 4" 60, b"4-4-4" 60] 18 aadhaar context::AADHAAR;
    PH_TIN 12 [b"3-3-3-3" 45] 12 any context::PHILIPPINES;
    PH_TIN 9 [b"3-3-3" 12] 12 any context::PHILIPPINES;
    KR_DRIVER_LICENSE 12 [b"2-2-6-2" 45] 12 any context::LICENSE;
    KR_RRN 13 [b"6-7" 80] 18 korean_resident context::KOREA;
    KR_FRN 13 [b"6-7" 80] 18 korean_foreigner context::KOREA;
    TH_TNIN 13 [b"1-4-5-2-1" 75, b"1 4 5 2 1" 75] 18 thai context::THAI;
    ZA_ID_NUMBER 13 [] 19 south_african context::AFRICA;
    CH_AHV 13 [b"3.4.4.2" 80] 18 swiss context::DOCUMENT;
    BR_CNPJ 14 [b"2.3.3/4-2" 85] 15 cnpj context::BRAZIL;
    FR_NIR 15 [b"1 2 2 2 3 3 2" 85] 19 french context::FRENCH;
};

/// What a number can be whose digits stand in groups of these lengths.
pub(super) struct Grouped<'a> {
    pub digits: &'a [u8],
    /// Group lengths and the signs between: `3-2-4`.
    pub shape: &'a [u8],
    /// What stands beside it makes it less sure: only with a context word.
    pub weak: bool,
}

/// The better of a hit and of the identity numbers that the digits can be.
pub(super) fn identity(
    text: &Text<'_>,
    start: usize,
    end: usize,
    number: &Grouped<'_>,
    best: Option<Hit>,
) -> Option<Hit> {
    let mut best = best;
    for rule in RULES.iter().filter(|rule| rule.count == number.digits.len()) {
        let Some(base) = rule.base(number.shape) else {
            continue;
        };
        if (rule.check)(number.digits) {
            let base = if number.weak { base.min(WEAK) } else { base };
            best = text.rival(best, rule.kind, start, end, base, rule.near);
        } else if rule.near & context::DOCUMENT == 0 && text.named_by(start, end, rule.near) {
            best = better(best, text.hit(rule.kind, start, end, NAMED, 0));
        }
    }
    best
}

/// How sure a shape makes whose signs are others than the usual ones, or beside which stands what belongs to no number:
/// a context word is needed.
pub(super) const WEAK: u8 = 45;
/// How sure the name right before a number makes, whatever its check digit.
pub(super) const NAMED: u8 = 55;

impl Rule {
    /// How sure a shape makes before any word is looked at.
    fn base(&self, shape: &[u8]) -> Option<u8> {
        if shape.len() == 1 {
            return Some(self.bare);
        }
        let exact = self.shapes.iter().find(|(wanted, _)| *wanted == shape).map(|(_, base)| *base);
        // The same groups with other signs between them: `219 09-9192`.
        let alike = |wanted: &[u8]| wanted.len() == shape.len() && wanted.iter().step_by(2).eq(shape.iter().step_by(2));
        exact.or_else(|| self.shapes.iter().find(|(wanted, _)| alike(wanted)).map(|(_, base)| (*base).min(WEAK)))
    }
}
