//! Self-contained pictures.

mod bars;
mod lines;

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::AnyError;
use crate::policy::Kind;
use crate::sweeps::{Point, Sweep};
use crate::workload::{Scenario, Terms};

/// The text below a picture.
type Notes = [String; 3];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (i32, i32) = (900, 500);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x59, 0x59, 0x59);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const ALARM: RGBColor = RGBColor(0xa4, 0x00, 0x00);

/// Draws the usual setting as bars, and each sweep as lines.
pub(crate) fn draw(sweep: Sweep, points: &[Point], usual: &(Scenario, Terms), path: &Path) -> Result<(), AnyError> {
    let canvas = SVGBackend::new(path, (SIZE.0 as u32, SIZE.1 as u32)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let notes = notes(sweep, points, usual);
    match sweep {
        Sweep::Usual => bars::draw(&canvas, &points[0], &notes)?,
        _ => lines::draw(&canvas, sweep, points, &notes)?,
    }
    canvas.present()?;
    Ok(())
}

/// What was held fixed, and what the marks mean.
fn notes(sweep: Sweep, points: &[Point], (scenario, terms): &(Scenario, Terms)) -> Notes {
    let mut fixed = vec![match sweep {
        Sweep::WriteRate => "Real writes of rust-lang/team, sped up".to_owned(),
        Sweep::Groups => format!(
            "A part of the writes of rust-lang/team, sped up to {:.2}/s",
            points[0].writes
        ),
        _ => format!(
            "Real writes of rust-lang/team, {} thousand times as fast: {:.2}/s",
            scenario.compression / 1e3,
            points[0].writes
        ),
    }];
    fixed.push(match sweep {
        Sweep::Skew => format!("{} independent checks/s", scenario.rate),
        _ => format!("{} checks/s in a recorded order", scenario.rate),
    });
    if sweep != Sweep::Interval {
        fixed.push(format!("answers up to {:.1} s old", terms.bound() as f64 / 1e3));
    }
    if sweep != Sweep::TokenAge {
        fixed.push("1 token in 100 from the last 10 s".to_owned());
    }
    let answers: u64 = points.iter().map(|point| point.tallies[0].1.judged).sum();
    [
        fixed.join(", ") + ".",
        "Who is concerned by a write to a popular question asks before and after it. Calls are shared in tower-zookie, \
         SpiceDB and the oracle."
            .to_owned(),
        format!(
            "Dashed: does not look at tokens. Wrong, of {} answers each: evaluated before the write that the token names, \
             with another decision than there.",
            grouped(answers)
        ),
    ]
}

/// A whole number with its thousands apart.
fn grouped(number: u64) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{},{rest:03}", grouped(thousands)),
    }
}

/// Colours of Okabe and Ito's palette, which colour-blind readers can distinguish.
fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::NoCache => FAINT,
        Kind::ExactToken => RGBColor(0x56, 0xb4, 0xe9),
        Kind::HeadRevision => RGBColor(0x00, 0x72, 0xb2),
        Kind::Quantized => RGBColor(0x00, 0x9e, 0x73),
        Kind::QuantizedByWrites => RGBColor(0x00, 0x5c, 0x43),
        Kind::TimeToLive => RGBColor(0xcc, 0x79, 0xa7),
        Kind::WholeStore => RGBColor(0xe6, 0x9f, 0x00),
        Kind::Ours | Kind::OursAround => RGBColor(0xd5, 0x5e, 0x00),
        Kind::Followed => RGBColor(0x8c, 0x2d, 0x04),
        Kind::FollowedWithStructure => RGBColor(0x5a, 0x18, 0x00),
        Kind::Oracle => RGBColor(0x00, 0x00, 0x00),
    }
}

/// A line of text.
struct Line {
    size: i32,
    colour: RGBColor,
    bold: bool,
    anchor: HPos,
}

impl Line {
    const TITLE: Self = Self {
        size: 21,
        colour: INK,
        bold: true,
        anchor: HPos::Left,
    };
    const NOTE: Self = Self {
        size: 12,
        colour: FAINT,
        bold: false,
        anchor: HPos::Left,
    };
    const LABEL: Self = Self {
        size: 15,
        colour: INK,
        bold: false,
        anchor: HPos::Left,
    };

    fn draw(&self, canvas: &Canvas<'_>, text: &str, at: (i32, i32)) -> Result<(), AnyError> {
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, f64::from(self.size), style);
        let style = TextStyle::from(font)
            .color(&self.colour)
            .pos(Pos::new(self.anchor, VPos::Center));
        canvas.draw_text(text, &style, at)?;
        Ok(())
    }
}

/// The title above, the notes below.
fn frame(canvas: &Canvas<'_>, title: &str, notes: &Notes) -> Result<(), AnyError> {
    Line::TITLE.draw(canvas, title, (20, 26))?;
    for (note, from_below) in notes.iter().zip([46, 29, 12]) {
        Line::NOTE.draw(canvas, note, (20, SIZE.1 - from_below))?;
    }
    Ok(())
}
