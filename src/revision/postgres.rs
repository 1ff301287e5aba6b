/// x
#[derive(Debug)]
pub struct InvalidSnapshot;
/// x
#[derive(Debug)]
pub struct PostgresSnapshot;
