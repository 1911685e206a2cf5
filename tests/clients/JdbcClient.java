// pgjdbc: the metadata that DBeaver, Metabase and Tableau ask for, and how they read.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.postgresql.PGConnection;

public class JdbcClient {
    static void check(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) values.add(rows.getString(name));
        }
        return values;
    }

    static int count(ResultSet rows) throws SQLException {
        try (rows) {
            int n = 0;
            while (rows.next()) n++;
            return n;
        }
    }

    static String state(Statement statement, String sql) {
        try {
            statement.executeQuery(sql);
            return "no error";
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    static void metadata(Connection db) throws SQLException {
        DatabaseMetaData meta = db.getMetaData();
        check(meta.getDatabaseProductName().equals("PostgreSQL"), meta.getDatabaseProductName());
        check(column(meta.getCatalogs(), "TABLE_CAT").equals(List.of("drave")), "catalogs");
        check(column(meta.getSchemas(), "TABLE_SCHEM").containsAll(List.of("public", "drave")), "schemas");
        String[] kinds = {"TABLE", "VIEW", "FOREIGN TABLE", "MATERIALIZED VIEW", "PARTITIONED TABLE"};
        check(column(meta.getTables(null, "public", "%", kinds), "TABLE_NAME").equals(List.of("logs")), "tables");
        check(column(meta.getTables(null, null, "%", kinds), "TABLE_NAME").contains("streams"), "all tables");
        check(column(meta.getTables(null, null, "pg\\_class", null), "TABLE_TYPE").equals(List.of("SYSTEM TABLE")), "system");
        try (ResultSet rows = meta.getColumns(null, "public", "logs", "%")) {
            check(rows.next() && rows.getString("COLUMN_NAME").equals("timestamp"), "first column");
            check(rows.getInt("DATA_TYPE") == java.sql.Types.TIMESTAMP && rows.getString("TYPE_NAME").equals("timestamptz"), rows.getString("TYPE_NAME"));
            check(rows.getInt("NULLABLE") == DatabaseMetaData.columnNoNulls, "nullable");
            check(rows.getString("REMARKS") != null, "remarks");
        }
        check(count(meta.getPrimaryKeys(null, "public", "logs")) == 0, "primary keys");
        check(count(meta.getIndexInfo(null, "public", "logs", false, true)) == 0, "indexes");
        check(count(meta.getImportedKeys(null, "public", "logs")) == 0, "imported keys");
        check(count(meta.getExportedKeys(null, "public", "logs")) == 0, "exported keys");
        check(count(meta.getCrossReference(null, "public", "logs", null, "public", "logs")) == 0, "cross reference");
        check(count(meta.getBestRowIdentifier(null, "public", "logs", DatabaseMetaData.bestRowSession, true)) == 0, "row identifier");
        check(count(meta.getVersionColumns(null, "public", "logs")) >= 0, "version columns");
        check(column(meta.getTypeInfo(), "TYPE_NAME").containsAll(List.of("text", "int8", "timestamptz")), "types");
        check(column(meta.getFunctions(null, "public", "%"), "FUNCTION_NAME").contains("time_bucket"), "functions");
        check(count(meta.getFunctionColumns(null, "public", "%", "%")) > 0, "function columns");
        check(count(meta.getProcedures(null, "public", "%")) >= 0, "procedures");
        check(count(meta.getProcedureColumns(null, "public", "%", "%")) >= 0, "procedure columns");
        check(column(meta.getTablePrivileges(null, "public", "logs"), "PRIVILEGE").contains("SELECT"), "privileges");
        check(count(meta.getColumnPrivileges(null, "public", "logs", "%")) >= 0, "column privileges");
        check(count(meta.getUDTs(null, "public", "%", null)) == 0, "udts");
        check(column(meta.getTableTypes(), "TABLE_TYPE").contains("TABLE"), "table types");
        check(meta.getSQLKeywords().length() > 100, "keywords");
        check(meta.getMaxColumnNameLength() == 63, "name length");
        check(count(meta.getClientInfoProperties()) > 0, "client info");
    }

    static void reading(Connection db) throws Exception {
        try (PreparedStatement ask = db.prepareStatement("select count(*) from logs where app = ? and line = ?")) {
            for (int n = 0; n < 8; n++) { // The driver prepares by name from the fifth on.
                ask.setString(1, "web");
                ask.setString(2, "line " + n);
                try (ResultSet rows = ask.executeQuery()) {
                    check(rows.next() && rows.getLong(1) == 1, n);
                }
            }
        }
        try (PreparedStatement ask = db.prepareStatement("select count(*) from logs where app = any(?) and timestamp < ? limit ?")) {
            ask.setArray(1, db.createArrayOf("text", new String[] {"web", "nope"}));
            ask.setObject(2, OffsetDateTime.parse("2023-11-15T00:00:00Z"));
            ask.setInt(3, 1);
            try (ResultSet rows = ask.executeQuery()) {
                check(rows.next() && rows.getLong(1) == 100, "array and time");
            }
            ResultSetMetaData columns = ask.getMetaData();
            check(columns.getColumnTypeName(1).equals("int8"), columns.getColumnTypeName(1));
        }
        try (Statement ask = db.createStatement()) {
            ResultSet rows = ask.executeQuery("select timestamp, stream_id, array[1, 2] as list, true, 1.5::float8, line from logs order by timestamp limit 1");
            ResultSetMetaData columns = rows.getMetaData();
            check(columns.getColumnName(1).equals("timestamp") && columns.getColumnCount() == 6, "columns");
            check(columns.isNullable(1) >= 0 && columns.getTableName(1) != null, "column of a table");
            check(rows.next() && rows.getObject(1, OffsetDateTime.class).getYear() == 2023, "time");
            check(((Object[]) rows.getArray(3).getArray()).length == 2 && rows.getBoolean(4), "list");
            check(rows.getDouble(5) == 1.5 && rows.getString(6).equals("line 0"), "values");
            check(state(ask, "select nope from logs").equals("42703"), "unknown column");
        }
        db.setAutoCommit(false);
        try (Statement ask = db.createStatement()) {
            ask.setFetchSize(30);
            check(column(ask.executeQuery("select line from logs where app = 'web' order by timestamp"), "line").size() == 100, "pieces");
            var point = db.setSavepoint("here");
            check(state(ask, "select 1 / 0").equals("22012"), "division");
            db.rollback(point);
            check(count(ask.executeQuery("select 1")) == 1, "after the savepoint");
            db.commit();
            ask.setQueryTimeout(1);
            check(state(ask, "select pg_sleep(60)").equals("57014"), "query timeout");
            db.rollback();
        }
        db.setAutoCommit(true);
        var copy = db.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder rows = new StringBuilder();
        for (int n = 0; n < 50; n++) rows.append("2023-11-15 00:00:00+00,copied ").append(n).append(",jdbc\n");
        long stored = copy.copyIn("copy logs (timestamp, line, app) from stdin with (format csv)", new StringReader(rows.toString()));
        check(stored == 50, stored);
        StringWriter out = new StringWriter();
        check(copy.copyOut("copy (select line from logs where app = 'jdbc') to stdout", out) == 50, "copied out");
    }

    public static void main(String[] args) throws Exception {
        for (String mode : List.of("extended", "simple")) {
            Properties options = new Properties();
            options.setProperty("user", "drave");
            options.setProperty("preferQueryMode", mode);
            options.setProperty("ApplicationName", "jdbc");
            try (Connection db = DriverManager.getConnection("jdbc:postgresql://" + args[0] + "/drave", options)) {
                check(db.isValid(2) && db.getSchema().equals("public"), "connected");
                metadata(db);
                if (mode.equals("extended")) reading(db);
            }
        }
        System.out.println("ok");
    }
}
