use clap::Parser;

/// How much work a bench does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Every row once, for seconds: shows that the bench works, and nothing more.
    Smoke,
    /// A few minutes.
    Usual,
    /// As long as it takes for narrow spreads.
    Full,
}

#[derive(Parser)]
#[command(about = "See docs/benchmarks.md.")]
struct Args {
    /// Run every row once, to see that it works.
    #[arg(long, conflicts_with = "full")]
    smoke: bool,
    /// Take more samples and sweep more values.
    #[arg(long)]
    full: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Effort {
    /// What the command line says: `--smoke`, `--full` or nothing.
    pub fn from_args() -> Self {
        match Args::parse() {
            Args { smoke: true, .. } => Self::Smoke,
            Args { full: true, .. } => Self::Full,
            Args { .. } => Self::Usual,
        }
    }

    /// The value for this effort.
    pub fn pick<T>(self, smoke: T, usual: T, full: T) -> T {
        match self {
            Self::Smoke => smoke,
            Self::Usual => usual,
            Self::Full => full,
        }
    }
}
