use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::schema::error::{Position, SchemaError, SchemaErrorKind};
use crate::schema::lexer::{Lexer, Token, shorten};
use crate::schema::partials::{self, Body};
use crate::schema::tree::{
    AllowedSubject, Condition, Definition, Expression, Member, MemberKind, SubjectForm, Term, TermKind,
};

const MAX_DEPTH: usize = 64;
const MAX_NAME: usize = 64;

const KEYWORDS: [&str; 6] = ["definition", "caveat", "relation", "permission", "nil", "with"];

/// SpiceDB's operators, the loosest first. A union binds tighter than an intersection, and an intersection tighter than
/// an exclusion. All of them group from the left.
const OPERATORS: [&str; 3] = ["-", "&", "+"];

/// Reads a schema in SpiceDB's language, or in the part of it that the embedded store supports.
pub(crate) fn parse(text: &str, embedded: bool) -> Result<BTreeMap<Box<str>, Definition>, SchemaError> {
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next()?;
    let mut parser = Parser {
        lexer,
        token,
        at,
        embedded,
        has_self: false,
    };
    let (mut definitions, mut partials) = (BTreeMap::new(), BTreeMap::new());
    loop {
        match parser.token {
            Token::End => return partials::include(definitions, &partials),
            Token::Symbol(";") => parser.advance()?,
            Token::Word("definition") => parser.body(&mut definitions)?,
            Token::Word("caveat") => {
                parser.not_embedded("a caveat")?;
                parser.caveat()?;
            }
            Token::Word("use" | "import" | "partial") if embedded => {
                return Err(parser.unsupported("`use`, `import` or `partial`"));
            }
            Token::Word("use") => parser.feature()?,
            Token::Word("partial") => parser.body(&mut partials)?,
            Token::Word("import") => return Err(parser.unsupported("`import`")),
            _ => return Err(parser.expected("`definition`")),
        }
    }
}

fn insert<V>(map: &mut BTreeMap<Box<str>, V>, name: Box<str>, value: V, at: Position) -> Result<(), SchemaError> {
    match map.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(entry) => Err(SchemaError::new(
            at,
            SchemaErrorKind::Duplicate {
                name: entry.key().to_string(),
            },
        )),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    at: Position,
    embedded: bool,
    /// Whether `self` is a keyword.
    has_self: bool,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<(), SchemaError> {
        (self.token, self.at) = self.lexer.next()?;
        Ok(())
    }

    fn expected(&self, expected: &'static str) -> SchemaError {
        let found = self.token.describe();
        SchemaError::new(self.at, SchemaErrorKind::Expected { expected, found })
    }

    fn unsupported(&self, what: &'static str) -> SchemaError {
        SchemaError::new(self.at, SchemaErrorKind::Unsupported { what })
    }

    /// An error where only the part of the language is read that the embedded store supports.
    fn not_embedded(&self, what: &'static str) -> Result<(), SchemaError> {
        if self.embedded {
            Err(self.unsupported(what))
        } else {
            Ok(())
        }
    }

    fn accept(&mut self, symbol: &'static str) -> Result<bool, SchemaError> {
        let here = self.token == Token::Symbol(symbol);
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    fn require(&mut self, symbol: &'static str, expected: &'static str) -> Result<(), SchemaError> {
        if self.accept(symbol)? {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<Box<str>, SchemaError> {
        let Token::Word(word) = self.token else {
            return Err(self.expected(expected));
        };
        let spelled = word.len() <= MAX_NAME
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !spelled || KEYWORDS.contains(&word) || (self.has_self && word == "self") {
            let name = shorten(word);
            return Err(SchemaError::new(self.at, SchemaErrorKind::BadName { name }));
        }
        self.advance()?;
        Ok(word.into())
    }

    fn type_name(&mut self) -> Result<Box<str>, SchemaError> {
        let mut name = String::from(self.name("a type's name")?);
        while self.accept("/")? {
            name.push('/');
            name.push_str(&self.name("the rest of a type's name")?);
        }
        Ok(name.into())
    }

    /// A feature that the schema uses. Those that are not known may give the text another meaning.
    fn feature(&mut self) -> Result<(), SchemaError> {
        self.advance()?;
        match self.token {
            Token::Word("self") => self.has_self = true,
            Token::Word("expiration" | "typechecking" | "partial" | "import") => {}
            _ => return Err(self.expected("`self`, `expiration`, `typechecking`, `partial` or `import`")),
        }
        self.advance()
    }

    fn caveat(&mut self) -> Result<(), SchemaError> {
        self.advance()?;
        self.caveat_name()?;
        if self.token != Token::Symbol("(") {
            return Err(self.expected("`(` and the caveat's parameters"));
        }
        self.lexer.skip_parameters()?;
        self.advance()?;
        self.require(")", "`)`")?;
        if self.token != Token::Symbol("{") {
            return Err(self.expected("`{` and the caveat's expression"));
        }
        self.lexer.skip_expression()?;
        self.advance()?;
        self.require("}", "`}`")
    }

    /// Caveats' names have fewer rules than others.
    fn caveat_name(&mut self) -> Result<(), SchemaError> {
        loop {
            let Token::Word(_) = self.token else {
                return Err(self.expected("a caveat's name"));
            };
            self.advance()?;
            if !self.accept("/")? {
                return Ok(());
            }
        }
    }

    /// A definition or partial, from its keyword on.
    fn body(&mut self, bodies: &mut BTreeMap<Box<str>, Body>) -> Result<(), SchemaError> {
        self.advance()?;
        let at = self.at;
        let name = self.type_name()?;
        let body = self.members()?;
        insert(bodies, name, body, at)
    }

    fn members(&mut self) -> Result<Body, SchemaError> {
        self.require("{", "`{`")?;
        let (mut members, mut included) = (BTreeMap::new(), Vec::new());
        loop {
            let (name, at, kind) = match self.token {
                Token::Symbol("}") => {
                    self.advance()?;
                    return Ok(Body { members, included });
                }
                Token::Symbol(";") => {
                    self.advance()?;
                    continue;
                }
                Token::Symbol("...") if !self.embedded => {
                    self.advance()?;
                    let at = self.at;
                    included.push((self.type_name()?, at));
                    continue;
                }
                Token::Word("relation") => {
                    self.advance()?;
                    let at = self.at;
                    let name = self.name("the relation's name")?;
                    self.require(":", "`:` and the relation's subject types")?;
                    (name, at, MemberKind::Relation(self.allowed_subjects()?))
                }
                Token::Word("permission") => {
                    self.advance()?;
                    let at = self.at;
                    let name = self.name("the permission's name")?;
                    if !self.embedded && self.accept(":")? {
                        // The types of its subjects. They say nothing that the expression does not say.
                        self.type_name()?;
                        while self.accept("|")? {
                            self.type_name()?;
                        }
                    }
                    self.require("=", "`=` and the permission's expression")?;
                    let mut terms = Vec::new();
                    let root = self.expression(&mut terms, 0, 0)?;
                    (name, at, MemberKind::Permission(Expression { terms, root }))
                }
                _ => return Err(self.expected("`relation`, `permission` or `}`")),
            };
            insert(&mut members, name, Member { at, kind }, at)?;
        }
    }

    fn allowed_subjects(&mut self) -> Result<Vec<AllowedSubject>, SchemaError> {
        let mut allowed = Vec::new();
        loop {
            let at = self.at;
            let type_name = self.type_name()?;
            let form = if self.accept(":")? {
                self.require("*", "`*`")?;
                SubjectForm::Wildcard
            } else if !self.accept("#")? || self.accept("...")? {
                SubjectForm::Object
            } else {
                SubjectForm::Userset(self.name("a relation's or permission's name")?)
            };
            let condition = self.condition()?;
            allowed.push(AllowedSubject {
                at,
                type_name,
                form,
                condition,
            });
            if !self.accept("|")? {
                return Ok(allowed);
            }
        }
    }

    fn condition(&mut self) -> Result<Option<Condition>, SchemaError> {
        if self.token != Token::Word("with") {
            return Ok(None);
        }
        self.not_embedded("`with` (caveats and expiration)")?;
        self.advance()?;
        if self.token != Token::Word("expiration") {
            self.caveat_name()?;
            if self.token != Token::Word("and") {
                return Ok(Some(Condition { expires: false }));
            }
            self.advance()?;
        }
        if self.token != Token::Word("expiration") {
            return Err(self.expected("`expiration`"));
        }
        self.advance()?;
        Ok(Some(Condition { expires: true }))
    }

    /// Reads operators of `level` and tighter. The number of levels times the depth of parentheses limits the
    /// recursion.
    fn expression(&mut self, terms: &mut Vec<Term>, level: usize, depth: usize) -> Result<u32, SchemaError> {
        let Some(&operator) = OPERATORS.get(level) else {
            return self.operand(terms, depth);
        };
        let at = self.at;
        let mut left = self.expression(terms, level + 1, depth)?;
        let mut operands = vec![left];
        while self.accept(operator)? {
            let right = self.expression(terms, level + 1, depth)?;
            if operator == "-" {
                left = push(terms, at, TermKind::Exclusion(left, right));
            } else {
                operands.push(right);
            }
        }
        if operands.len() == 1 {
            return Ok(left);
        }
        let kind = match operator {
            "&" => TermKind::Intersection(operands),
            _ => TermKind::Union(operands),
        };
        Ok(push(terms, at, kind))
    }

    fn operand(&mut self, terms: &mut Vec<Term>, depth: usize) -> Result<u32, SchemaError> {
        let at = self.at;
        if self.token == Token::Symbol("(") {
            if depth == MAX_DEPTH {
                return Err(SchemaError::new(at, SchemaErrorKind::TooDeep { max: MAX_DEPTH }));
            }
            self.advance()?;
            let inner = self.expression(terms, 0, depth + 1)?;
            self.require(")", "an operator or `)`")?;
            return Ok(inner);
        }
        if self.token == Token::Word("nil") {
            self.advance()?;
            return Ok(push(terms, at, TermKind::Nil));
        }
        if self.has_self && self.token == Token::Word("self") {
            self.advance()?;
            return Ok(push(terms, at, TermKind::Oneself));
        }
        let name = self.name("a relation, a permission, `nil` or `(`")?;
        let mut all = false;
        let target = if self.accept("->")? {
            self.name("the name of what the arrow leads to")?
        } else if self.accept(".")? {
            match self.token {
                Token::Word("any") => {}
                Token::Word("all") => {
                    self.not_embedded("an intersection arrow (`.all`)")?;
                    all = true;
                }
                _ => return Err(self.expected("`any`")),
            }
            self.advance()?;
            self.require("(", "`(`")?;
            let target = self.name("the name of what the arrow leads to")?;
            self.require(")", "`)`")?;
            target
        } else {
            return Ok(push(terms, at, TermKind::Reference(name)));
        };
        if matches!(self.token, Token::Symbol("->" | ".")) {
            return Err(self.unsupported("an arrow after an arrow"));
        }
        let relation = name;
        Ok(push(terms, at, TermKind::Arrow { relation, target, all }))
    }
}

fn push(terms: &mut Vec<Term>, at: Position, kind: TermKind) -> u32 {
    terms.push(Term { at, kind });
    // The limit of the text's length also limits this count far below u32::MAX.
    (terms.len() - 1) as u32
}
