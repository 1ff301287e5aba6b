use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::store::schema::error::{Position, SchemaError, SchemaErrorKind};
use crate::store::schema::lexer::{Lexer, Token, shorten};
use crate::store::schema::tree::{
    AllowedSubject, Definition, Expression, Member, MemberKind, SubjectForm, Term, TermKind,
};

const MAX_DEPTH: usize = 64;
const MAX_NAME: usize = 64;

const KEYWORDS: [&str; 6] = ["definition", "caveat", "relation", "permission", "nil", "with"];

/// SpiceDB's operators, the loosest first. A union binds tighter than an intersection, and an intersection tighter than
/// an exclusion. All of them group from the left.
const OPERATORS: [&str; 3] = ["-", "&", "+"];

pub(super) fn parse(text: &str) -> Result<BTreeMap<Box<str>, Definition>, SchemaError> {
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at };
    let mut definitions = BTreeMap::new();
    loop {
        match parser.token {
            Token::End => return Ok(definitions),
            Token::Symbol(";") => parser.advance()?,
            Token::Word("definition") => {
                parser.advance()?;
                let at = parser.at;
                let name = parser.type_name()?;
                let members = parser.members()?;
                insert(&mut definitions, name, Definition { members }, at)?;
            }
            Token::Word("caveat") => return Err(parser.unsupported("a caveat")),
            Token::Word("use" | "import" | "partial") => {
                return Err(parser.unsupported("`use`, `import` or `partial`"));
            }
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
        if !spelled || KEYWORDS.contains(&word) {
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

    fn members(&mut self) -> Result<BTreeMap<Box<str>, Member>, SchemaError> {
        self.require("{", "`{`")?;
        let mut members = BTreeMap::new();
        loop {
            let (name, at, kind) = match self.token {
                Token::Symbol("}") => {
                    self.advance()?;
                    return Ok(members);
                }
                Token::Symbol(";") => {
                    self.advance()?;
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
            if self.token == Token::Word("with") {
                return Err(self.unsupported("`with` (caveats and expiration)"));
            }
            allowed.push(AllowedSubject { at, type_name, form });
            if !self.accept("|")? {
                return Ok(allowed);
            }
        }
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
        let name = self.name("a relation, a permission, `nil` or `(`")?;
        let target = if self.accept("->")? {
            self.name("the name of what the arrow leads to")?
        } else if self.accept(".")? {
            match self.token {
                Token::Word("any") => self.advance()?,
                Token::Word("all") => return Err(self.unsupported("an intersection arrow (`.all`)")),
                _ => return Err(self.expected("`any`")),
            }
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
        Ok(push(terms, at, TermKind::Arrow { relation: name, target }))
    }
}

fn push(terms: &mut Vec<Term>, at: Position, kind: TermKind) -> u32 {
    terms.push(Term { at, kind });
    // The limit of the text's length also limits this count far below u32::MAX.
    (terms.len() - 1) as u32
}
