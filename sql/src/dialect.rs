//! From text to trees: which statements get the help that queries of the catalog need.
//!
//! The rules of datafusion-pg-catalog make what tools ask of the catalog plannable; two of them
//! answer NULL, or one row, where a subquery cannot be planned. That is right for `\d` and wrong for
//! a question about logs, so it is done only to statements that name the catalog.

use std::sync::Arc;

use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall,
    FixArrayLiteral, PrependUnqualifiedPgTableName, ResolveUnqualifiedIdentifier,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, SqlStatementRewriteRule,
    StripCallableQualifier, StripCollate,
};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::array_text;
use crate::error::SqlError;

/// Parses single statements.
#[derive(Debug)]
pub(crate) struct Dialect {
    catalog: PostgresCompatibilityParser,
    rules: Vec<Arc<dyn SqlStatementRewriteRule>>,
}

impl Dialect {
    pub(crate) fn new() -> Dialect {
        let rules: Vec<Arc<dyn SqlStatementRewriteRule>> = vec![
            Arc::new(AliasDuplicatedProjectionRewrite),
            Arc::new(ResolveUnqualifiedIdentifier),
            Arc::new(RewriteArrayAnyAllOperation),
            Arc::new(PrependUnqualifiedPgTableName),
            Arc::new(StripCallableQualifier),
            Arc::new(FixArrayLiteral),
            Arc::new(CurrentUserVariableToSessionUserFunctionCall),
            Arc::new(StripCollate),
            Arc::new(RewritePgCatalogOperator),
        ];
        Dialect { catalog: PostgresCompatibilityParser::new(), rules }
    }

    /// Parses one statement, whose tokens are given as well.
    pub(crate) fn parse(&self, text: &str, tokens: &[Token]) -> Result<Statement, SqlError> {
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
        // Also of those that are parsed again below: the catalog's parser knows no positions.
        let parsed = parser.and_then(|mut parser| parser.parse_statements())?;
        let rewritten = match tokens.iter().any(names_catalog) {
            true => self.catalog.parse(text).ok(),
            false => None,
        };
        let ruled = rewritten.is_none();
        let mut statements = rewritten.unwrap_or(parsed);
        match (statements.pop(), statements.pop()) {
            (Some(mut statement), None) if ruled => {
                array_text::rewrite(&mut statement)?;
                Ok(self.rules.iter().fold(statement, |statement, rule| rule.rewrite(statement)))
            }
            (Some(statement), None) => Ok(statement),
            _ => Err(SqlError::new("42601", "syntax error: one statement is expected here")),
        }
    }
}

fn names_catalog(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    let name = word.value.to_ascii_lowercase();
    name.starts_with("pg_") || name == "information_schema" || name.starts_with("reg")
}
