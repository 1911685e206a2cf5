//! From text to trees: which statements get the help that queries of the catalog need.
//!
//! Most rules of datafusion-pg-catalog are right for every statement; what else a question about
//! the catalog needs is in `catalog/rewrite.rs`, and done only to statements that name it.

use std::sync::Arc;

use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, FixArrayLiteral, ResolveUnqualifiedIdentifier,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, SqlStatementRewriteRule,
    StripCallableQualifier, StripCollate,
};
use sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::array_text;
use crate::catalog;
use crate::error::SqlError;
use crate::statement::column_name;

/// Parses single statements.
#[derive(Debug)]
pub(crate) struct Dialect {
    rules: Vec<Arc<dyn SqlStatementRewriteRule>>,
}

impl Dialect {
    pub(crate) fn new() -> Dialect {
        let rules: Vec<Arc<dyn SqlStatementRewriteRule>> = vec![
            Arc::new(AliasDuplicatedProjectionRewrite),
            Arc::new(ResolveUnqualifiedIdentifier),
            Arc::new(RewriteArrayAnyAllOperation),
            Arc::new(StripCallableQualifier),
            Arc::new(FixArrayLiteral),
            Arc::new(StripCollate),
            Arc::new(RewritePgCatalogOperator),
        ];
        Dialect { rules }
    }

    /// Parses one statement, whose tokens are given as well.
    pub(crate) fn parse(&self, text: &str, tokens: &[Token]) -> Result<Statement, SqlError> {
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
        let statements = parser.and_then(|mut parser| parser.parse_statements());
        let mut statements = match statements {
            // The grammar takes the word for a column.
            Err(_) if has_words(tokens, "between", "symmetric") => {
                let hint = "write (x between a and b or x between b and a)";
                return Err(SqlError::unsupported("BETWEEN SYMMETRIC").hint(hint));
            }
            parsed => parsed?,
        };
        match (statements.pop(), statements.pop()) {
            (Some(mut statement), None) => {
                array_text::rewrite(&mut statement)?;
                if tokens.iter().any(names_catalog) {
                    keep_names(&mut statement);
                    catalog::rewrite(&mut statement)?;
                }
                Ok(self.rules.iter().fold(statement, |statement, rule| rule.rewrite(statement)))
            }
            _ => Err(SqlError::new("42601", "syntax error: one statement is expected here")),
        }
    }
}

/// Gives what is rewritten below the name that it has before.
fn keep_names(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let changes = matches!(expr, Expr::Subquery(_) | Expr::Function(_) | Expr::Case { .. });
        let Some(name) = column_name(expr).filter(|name| changes && name != "?column?") else {
            continue;
        };
        let alias = Ident::with_quote('"', name);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// Whether two words follow each other somewhere.
fn has_words(tokens: &[Token], first: &str, second: &str) -> bool {
    let is = |token: &Token, name: &str| {
        matches!(token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name))
    };
    let words: Vec<&Token> =
        tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    words.windows(2).any(|pair| is(pair[0], first) && is(pair[1], second))
}

fn names_catalog(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    let name = word.value.to_ascii_lowercase();
    let others = ["array", "col_description", "information_schema"];
    name.starts_with("pg_") || name.starts_with("reg") || others.contains(&name.as_str())
}
