//! Pictures that stand by themselves.

mod bars;
mod lines;

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::AnyError;
use crate::policy::Kind;
use crate::sweeps::{Point, Sweep};
use crate::workload::{Popularity, Scenario, Terms};

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
fn notes(sweep: Sweep, points: &[Point], (scenario, terms): &(Scenario, Terms)) -> [String; 2] {
    let writes = match sweep {
        Sweep::WriteRate => "real writes of rust-lang/team, sped up".to_owned(),
        _ => format!(
            "real writes of rust-lang/team × {} ({:.2}/s)",
            scenario.compression, points[0].writes
        ),
    };
    let mut parts = vec![writes];
    parts.push(match (sweep, scenario.popularity) {
        (Sweep::Skew, _) | (_, Popularity::Zipf(_)) => format!("{} checks/s", scenario.rate),
        (_, Popularity::Recorded) => format!("{} checks/s in a recorded order", scenario.rate),
    });
    if sweep != Sweep::Interval {
        parts.push(format!("answers up to {:.1} s old", terms.bound() as f64 / 1e3));
    }
    if sweep != Sweep::TokenAge {
        parts.push("1 token in 100 from the last 10 s".to_owned());
    }
    let wrong = "Wrong: evaluated before the write that the caller's token names, and another verdict than there.";
    [parts.join(", "), wrong.to_owned()]
}

/// Colours of Okabe and Ito's palette, which the colour-blind can tell apart.
fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::NoCache => FAINT,
        Kind::ExactToken => RGBColor(0x56, 0xb4, 0xe9),
        Kind::HeadRevision => RGBColor(0x00, 0x72, 0xb2),
        Kind::Quantized => RGBColor(0x00, 0x9e, 0x73),
        Kind::TimeToLive => RGBColor(0xcc, 0x79, 0xa7),
        Kind::WholeStore => RGBColor(0xe6, 0x9f, 0x00),
        Kind::Ours | Kind::OursAround => RGBColor(0xd5, 0x5e, 0x00),
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
        size: 13,
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
fn frame(canvas: &Canvas<'_>, title: &str, notes: &[String; 2]) -> Result<(), AnyError> {
    Line::TITLE.draw(canvas, title, (20, 26))?;
    for (note, from_below) in notes.iter().zip([34, 15]) {
        Line::NOTE.draw(canvas, note, (20, SIZE.1 - from_below))?;
    }
    Ok(())
}
