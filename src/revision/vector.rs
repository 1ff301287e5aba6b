/// x
#[derive(Debug)]
pub struct VectorClock;
