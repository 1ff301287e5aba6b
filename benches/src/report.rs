use std::path::PathBuf;
use std::{fmt, fs, io};

use serde::Serialize;

use crate::Sample;

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// What was measured: one of the things compared.
    pub row: String,
    /// Under which circumstances, the same for all rows compared.
    pub setting: String,
    /// Which of its quantities.
    pub metric: String,
    /// The median, or the one value of what is counted.
    pub value: f64,
    /// Its unit; empty for a bare number.
    pub unit: String,
    /// For a ratio, the row that it is a ratio to.
    pub ratio_to: Option<String>,
    /// Half the distance between the quartiles, in the unit of the value. Counts have none.
    pub spread: Option<f64>,
}

impl Measure {
    fn new(row: &str, setting: &str, metric: &str, value: f64, unit: &str) -> Self {
        Self {
            row: row.to_owned(),
            setting: setting.to_owned(),
            metric: metric.to_owned(),
            value,
            unit: unit.to_owned(),
            ratio_to: None,
            spread: None,
        }
    }
}

/// What a bench found out.
#[derive(Clone, Debug)]
pub struct Report {
    bench: &'static str,
    measures: Vec<Measure>,
}

impl Report {
    /// An empty report of the bench with this name.
    pub fn new(bench: &'static str) -> Self {
        Self {
            bench,
            measures: Vec::new(),
        }
    }

    /// Adds what was counted once.
    pub fn counted(&mut self, row: &str, setting: &str, metric: &str, value: f64, unit: &str) {
        self.measures.push(Measure::new(row, setting, metric, value, unit));
    }

    /// Adds what was measured several times.
    pub fn measured(&mut self, row: &str, setting: &str, metric: &str, sample: Sample, unit: &str) {
        self.measures.push(Measure {
            spread: Some(sample.spread),
            ..Measure::new(row, setting, metric, sample.median, unit)
        });
    }

    /// Adds how many times as much as another row.
    pub fn ratio(&mut self, row: &str, setting: &str, metric: &str, sample: Sample, to: &str) {
        self.measures.push(Measure {
            spread: Some(sample.spread),
            ratio_to: Some(to.to_owned()),
            ..Measure::new(row, setting, metric, sample.median, "x")
        });
    }

    /// Where this bench's files go: `target/BENCH`.
    ///
    /// # Errors
    ///
    /// It can't be made.
    pub fn directory(&self) -> io::Result<PathBuf> {
        let executable = std::env::current_exe()?;
        // target/PROFILE/deps/BENCH-HASH
        let target = executable
            .ancestors()
            .nth(3)
            .ok_or_else(|| io::Error::other("the bench does not run from a target directory"))?;
        let directory = target.join(self.bench);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Prints the tables and writes `summary.json`.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub fn finish(&self) -> io::Result<()> {
        println!("{self}");
        let path = self.directory()?.join("summary.json");
        let json = serde_json::to_string_pretty(&self.measures)?;
        fs::write(&path, json + "\n")?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// A table for each setting, with a line for each row and a column for each metric.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for setting in firsts(self.measures.iter().map(|measure| measure.setting.as_str())) {
            let here = || self.measures.iter().filter(|measure| measure.setting == setting);
            let metrics = firsts(here().map(|measure| measure.metric.as_str()));
            let mut table = vec![
                [setting]
                    .iter()
                    .chain(&metrics)
                    .map(|text| (*text).to_owned())
                    .collect(),
            ];
            for row in firsts(here().map(|measure| measure.row.as_str())) {
                let mut line = vec![row.to_owned()];
                line.extend(metrics.iter().map(|metric| {
                    let cell = here().find(|measure| measure.row == row && measure.metric == *metric);
                    cell.map(Measure::to_string).unwrap_or_default()
                }));
                table.push(line);
            }
            write_aligned(f, &table)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The value with its spread and unit.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = decimals(self.value);
        write!(f, "{:.digits$}", self.value)?;
        if let Some(spread) = self.spread {
            write!(f, " ±{spread:.digits$}")?;
        }
        match self.unit.as_str() {
            "" => Ok(()),
            unit @ ("x" | "%") => f.write_str(unit),
            unit => write!(f, " {unit}"),
        }
    }
}

/// Three figures or more, and no decimals for whole numbers.
fn decimals(value: f64) -> usize {
    match value.abs() {
        whole if whole.fract() == 0.0 => 0,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    }
}

fn firsts<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut firsts = Vec::new();
    for one in all {
        if !firsts.contains(&one) {
            firsts.push(one);
        }
    }
    firsts
}

fn write_aligned(f: &mut fmt::Formatter<'_>, table: &[Vec<String>]) -> fmt::Result {
    let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for (index, line) in table.iter().enumerate() {
        write!(f, "| {:<1$} |", line[0], width(0))?;
        for (column, cell) in line.iter().enumerate().skip(1) {
            write!(f, " {cell:>0$} |", width(column))?;
        }
        writeln!(f)?;
        if index == 0 {
            write!(f, "|{:-<1$}|", "", width(0) + 2)?;
            for column in 1..line.len() {
                write!(f, "{:->1$}|", ":", width(column) + 2)?;
            }
            writeln!(f)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_each_setting() {
        let mut report = Report::new("example");
        report.measured(
            "base",
            "1 key",
            "time",
            Sample {
                median: 80.0,
                spread: 2.0,
            },
            "ns",
        );
        report.measured(
            "ours",
            "1 key",
            "time",
            Sample {
                median: 120.5,
                spread: 3.0,
            },
            "ns",
        );
        report.ratio(
            "ours",
            "1 key",
            "to base",
            Sample {
                median: 1.5,
                spread: 0.02,
            },
            "base",
        );
        report.counted("ours", "2 keys", "allocations", 2.0, "");
        assert_eq!(
            report.to_string(),
            "| 1 key |      time |     to base |\n\
             |-------|----------:|------------:|\n\
             | base  |  80 ±2 ns |             |\n\
             | ours  | 120 ±3 ns | 1.50 ±0.02x |\n\
             \n\
             | 2 keys | allocations |\n\
             |--------|------------:|\n\
             | ours   |           2 |\n\
             \n"
        );
    }
}
