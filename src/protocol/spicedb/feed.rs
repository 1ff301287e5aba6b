use crate::changes::TupleFilter;
use crate::protocol::feed::Checkpoints;
use crate::protocol::kit::grpc::Code;
use crate::protocol::operation::{Field, Operation};
use crate::protocol::spicedb::meaning::Meaning;
use crate::protocol::spicedb::operations::{
    ALL_KINDS, CONSISTENCY, EXACTLY, READ_FILTER, READ_RELATION, READ_RELATION_NAME, READ_RELATIONSHIP, READ_SUBJECT,
    READ_SUBJECT_RELATION, READ_SUBJECT_TYPE, READ_TYPE, REFLECT_FILTERS, REFLECT_NAME, START_CURSOR, TOKEN,
    UPDATE_KINDS, read_relationships, read_schema, reflect_schema,
};
use crate::protocol::system::{Asked, Followed, System};
use crate::protocol::wire::{Put, Wire};
use crate::token::TokenFormat;
use crate::token::spicedb::Engine;

impl Followed for Meaning {
    const RELATIONSHIP: &'static [Field] = &READ_RELATIONSHIP;

    /// On MySQL, a transaction gets its number before it commits. In memory, a change may become visible below a revision
    /// that was answered already. Spanner's feed was not examined.
    fn checkpoints(&self) -> Checkpoints {
        match self.engine {
            _ if self.read_replicas => Checkpoints::Nothing,
            Engine::Postgres => Checkpoints::Through,
            Engine::CockroachDb => Checkpoints::Below,
            Engine::Memory | Engine::Spanner | Engine::MySql | Engine::Opaque => Checkpoints::Nothing,
        }
    }

    fn open<W: Wire>(watch: &Operation, _: &str, from: Option<&str>) -> Asked {
        let kinds = ALL_KINDS.map(|(number, name)| Put::Choice(number, name));
        let kinds = (&UPDATE_KINDS, Put::List(&kinds));
        match from {
            None => W::call(watch, Self::BASE, None, &[kinds]),
            Some(from) => {
                let cursor = [(&TOKEN, Put::Text(from))];
                W::call(
                    watch,
                    Self::BASE,
                    None,
                    &[(&START_CURSOR, Put::Message(&cursor)), kinds],
                )
            }
        }
    }

    fn read_schema() -> Option<&'static Operation> {
        read_schema()
    }

    /// SpiceDB on PostgreSQL opens a feed after any revision. What its garbage collection has removed, it does not report.
    /// But it reads at no revision that is older than that.
    fn check<W: Wire>(at: &str) -> Asked {
        let token = [(&TOKEN, Put::Text(at))];
        let exactly = [(&EXACTLY, Put::Message(&token))];
        // No definition has this name: the reply should be short.
        let name = [(&REFLECT_NAME, Put::Text("zookie_has_no_such_definition"))];
        let filters = [Put::Message(&name)];
        let fields = [
            (&CONSISTENCY, Put::Message(&exactly)),
            (&REFLECT_FILTERS, Put::List(&filters)),
        ];
        W::call(reflect_schema()?, Self::BASE, None, &fields)
    }

    /// Without a limit in the request: SpiceDB rejects one over 1,000.
    fn read_relationships<W: Wire>(filter: TupleFilter<'_>, at: &str) -> Asked {
        let token = [(&TOKEN, Put::Text(at))];
        let exactly = [(&EXACTLY, Put::Message(&token))];
        let mut names = vec![
            (&READ_TYPE, Put::Text(filter.kind)),
            (&READ_RELATION, Put::Text(filter.relation)),
        ];
        let (kind, relation) = filter.usersets.unwrap_or_default();
        let relation = [(&READ_RELATION_NAME, Put::Text(relation))];
        let subject = [
            (&READ_SUBJECT_TYPE, Put::Text(kind)),
            (&READ_SUBJECT_RELATION, Put::Message(&relation)),
        ];
        if filter.usersets.is_some() {
            names.push((&READ_SUBJECT, Put::Message(&subject)));
        }
        let fields = [
            (&CONSISTENCY, Put::Message(&exactly)),
            (&READ_FILTER, Put::Message(&names)),
        ];
        W::call(read_relationships()?, Self::BASE, None, &fields)
    }

    /// The revision is collected or not reached yet, or belongs to another datastore.
    fn loses(code: Code) -> bool {
        matches!(code, Code::OutOfRange | Code::InvalidArgument)
    }

    /// A token with a schema's hash tells that the schema is kept in the new tables. If it is kept there alone
    /// (`--experimental-schema-mode read-new-write-new`), Watch does not report its changes.
    fn follows_schema(&self, token: &str) -> bool {
        !self.format.has_more_than_revision(token)
    }
}
