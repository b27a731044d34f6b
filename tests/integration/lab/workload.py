"""A workload that makes a server write every event type that it can.

The most of it is the SQL beside the golden binlogs (tests/golden/*.sql). What spans several files
or needs a file, a failure or another mode is here: blocks of LOAD DATA, one that fails after its
first block was logged (DELETE_FILE), a change that could not be logged (INCIDENT), anonymous
transactions, every kind of compressed row event, a restart (STOP) and a crash.

`EVERY_TYPE` is what the files then hold. What is not in it, no server of today writes into a
binlog: VIEW_CHANGE and TRANSACTION_CONTEXT (group replication of MySQL 9 logs neither), the events
of MySQL before 5.1, WRITE_ROWS and its kin on MariaDB, heartbeats (sent only), IGNORABLE.
"""

from . import PROJECT
from .server import SqlError

DATABASE = "shop"
LOADS = {"load.csv": "1,first\n2,second\n3,third\n",
         "load2.csv": "4,fourth\n5,fifth changed\n60,sixty\n"}
BOTH = {"QUERY", "STOP", "ROTATE", "INTVAR", "APPEND_BLOCK", "DELETE_FILE", "RAND", "USER_VAR",
        "FORMAT_DESCRIPTION", "XID", "BEGIN_LOAD_QUERY", "EXECUTE_LOAD_QUERY", "TABLE_MAP",
        "INCIDENT", "XA_PREPARE"}
EVERY_TYPE = {
    "mariadb": BOTH | {
        "WRITE_ROWS_V1", "UPDATE_ROWS_V1", "DELETE_ROWS_V1", "ANNOTATE_ROWS", "BINLOG_CHECKPOINT",
        "MARIADB_GTID", "GTID_LIST", "QUERY_COMPRESSED", "WRITE_ROWS_COMPRESSED_V1",
        "UPDATE_ROWS_COMPRESSED_V1", "DELETE_ROWS_COMPRESSED_V1"},
    "mysql": BOTH | {
        "ROWS_QUERY", "WRITE_ROWS", "UPDATE_ROWS", "DELETE_ROWS", "PARTIAL_UPDATE_ROWS", "GTID",
        "GTID_TAGGED", "ANONYMOUS_GTID", "PREVIOUS_GTIDS", "TRANSACTION_PAYLOAD"},
}


def every_type(server):
    """The names of the types in `server`'s binlogs after `run`."""
    types = set(EVERY_TYPE[server.flavour])
    if server.flavour == "mariadb" and server.encrypted:
        types.add("START_ENCRYPTION")
    return types


def golden_sql(server):
    """The text of the flavour's SQL below tests/golden, without what makes the database."""
    path = PROJECT / "tests" / "golden" / f"{server.label}.sql"
    _, made, rest = path.read_text().partition(f"CREATE DATABASE {DATABASE};\n")
    if not made:
        raise RuntimeError(f"{path} does not begin with the database")
    return rest


def run_golden(server):
    """Run that SQL; the last file is closed at the end of it."""
    server.sql(f"CREATE DATABASE {DATABASE}")
    for name, text in LOADS.items():
        (server.data / DATABASE / name).write_text(text)
    server.sql(golden_sql(server), DATABASE)


def run(server):
    """The whole workload: the server is restarted and killed on the way, and runs at the end."""
    run_golden(server)
    _loads(server)
    server.restart()
    _compressed_rows(server)
    _incident(server)
    _crash(server)
    server.sql("INSERT INTO big VALUES (2000, 'after the crash')", DATABASE)
    if server.flavour == "mysql":
        _anonymous(server)
    server.rotate()


def _loads(server):
    """Blocks of a LOAD DATA that succeeds, and of one that fails before it has changed a row."""
    path = server.directory / "big.csv"
    lines = [f"{number},{'x' * 1000}\n" for number in range(10, 400)]
    path.write_text("".join(lines) + "399,again\n")
    server.sql("CREATE TABLE big (id INT PRIMARY KEY, data LONGBLOB) ENGINE=MyISAM;"
               "INSERT INTO big VALUES (399, 'the first')", DATABASE)
    load = (f"SET SESSION binlog_format = STATEMENT; LOAD DATA INFILE '{path}' %s INTO TABLE big "
            "FIELDS TERMINATED BY ','%s")
    _must_fail(server, load % ("", f" IGNORE {len(lines) - 1} LINES"), "Duplicate entry")
    server.sql(load % ("REPLACE", ""), DATABASE)


def _compressed_rows(server):
    on, off = "SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress = OFF"
    if server.flavour == "mysql":
        on = off = "SET SESSION binlog_transaction_compression = ON"
    server.sql(f"{on}; CREATE TABLE packed (id INT PRIMARY KEY, data TEXT) ENGINE=InnoDB;"
               "BEGIN; INSERT INTO packed VALUES (1, REPEAT('compressible ', 500)),"
               "(2, REPEAT('as well ', 500)); UPDATE packed SET data = CONCAT(data, data) "
               f"WHERE id = 1; DELETE FROM packed; COMMIT; {off};", DATABASE)


def _incident(server):
    """A statement whose rows are changed (MyISAM) but too large to be logged."""
    previous = server.value("SELECT @@global.max_binlog_stmt_cache_size")
    server.sql("SET GLOBAL max_binlog_stmt_cache_size = 4096, binlog_stmt_cache_size = 4096")
    _must_fail(server, "INSERT INTO big VALUES " + ", ".join(
        f"({number}, REPEAT('x', 100000))" for number in range(1000, 1003)),
        "max_binlog_stmt_cache_size")
    server.sql(f"SET GLOBAL max_binlog_stmt_cache_size = {previous}")


def _anonymous(server):
    """Each change of the mode begins a new file.

    The server stays in ON_PERMISSIVE: one in ON refuses to send anonymous transactions (1236).
    """
    for mode in ("ON_PERMISSIVE", "OFF_PERMISSIVE"):
        server.sql(f"SET GLOBAL gtid_mode = {mode}")
    server.sql("INSERT INTO orders (note) VALUES ('anonymous')", DATABASE)
    server.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")


def _crash(server):
    server.sql("INSERT INTO orders (note) VALUES ('before the crash')", DATABASE)
    server.kill9()
    server.start()


def _must_fail(server, text, words):
    try:
        server.sql(text, DATABASE)
    except SqlError as error:
        if words not in str(error):
            raise
        return
    raise RuntimeError(f"{server.name} did what it should refuse: {text[:100]}")
