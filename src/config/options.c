#include "config/options.h"

#include "base/checked.h"
#include "base/units.h"
#include "config/values.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define DAY (86400 * USEC_PER_SEC)

#define IN_CONFIG(field) offsetof(struct config, field)
#define IN_CLASS(field)	 offsetof(struct config_class, field)
#define IN_CLIENT(field) offsetof(struct config_client, field)
#define IN_SOURCE(field) offsetof(struct config_source, field)
#define IN_RULES(field)	 offsetof(struct config_source, rules.field)
#define LEVELS		 "yes | warn | no"

/* shown: section, key, kind, fallback, help, policy */
static const struct option options[] = {
	/* clang-format off */
	{{"archive", "name", "name", NULL, "the vault's name in status, logs and manifests", false},
	 OPTION_ARCHIVE, OPTION_REQUIRED, value_parse_vault, IN_CONFIG(name), 0, 0},
	{{"archive", "volume", "directory", NULL, "where the archive lies", false},
	 OPTION_ARCHIVE, OPTION_REQUIRED | OPTION_LIST, value_parse_volumes, 0, 0, 0},
	{{"archive", "worm", "required | advisory", "required",
	  "required: refuse to run where the kernel cannot keep archived files unchangeable", true},
	 OPTION_ARCHIVE, 0, value_parse_worm, IN_CONFIG(worm), 0, 0},
	{{"archive", "segment-size", "size", "256M", "a segment is sealed at this size", false},
	 OPTION_ARCHIVE, 0, value_parse_size, IN_CONFIG(segment_size), MIB, GIB},
	{{"archive", "segment-age", "duration", "15m", "a segment is sealed at this age", false},
	 OPTION_ARCHIVE, 0, value_parse_duration, IN_CONFIG(segment_age_usec), USEC_PER_SEC, DAY},
	{{"archive", "frame-delay", "duration", "100ms",
	  "what has arrived is written after this time at the latest", false},
	 OPTION_ARCHIVE, 0, value_parse_duration, IN_CONFIG(frame_delay_usec), 0,
	 10 * USEC_PER_SEC},
	{{"archive", "reserve", "size", "1G",
	  "free space that is kept so that sealing and the ledger always work", false},
	 OPTION_ARCHIVE, 0, value_parse_size, IN_CONFIG(reserve), 16 * MIB, 64 * TIB},
	{{"archive", "runtime", "directory", "/run/binvault", "where the sockets lie", false},
	 OPTION_ARCHIVE, 0, value_parse_path, IN_CONFIG(runtime), 0, 0},

	{{"hsm", "module", "file", NULL, "the PKCS#11 module of the HSM", false},
	 OPTION_HSM, OPTION_REQUIRED, value_parse_path, IN_CONFIG(hsm_module), 0, 0},
	{{"hsm", "token-label", "text", NULL, "the token, by its label", false},
	 OPTION_HSM, 0, value_parse_text, IN_CONFIG(hsm_token_label), 0, 0},
	{{"hsm", "token-serial", "text", NULL, "the token, by its serial number", false},
	 OPTION_HSM, 0, value_parse_text, IN_CONFIG(hsm_token_serial), 0, 0},
	{{"hsm", "state", "directory", NULL,
	  "last signed root and login record: not a cache, back it up", false},
	 OPTION_HSM, OPTION_REQUIRED, value_parse_path, IN_CONFIG(hsm_state), 0, 0},
	{{"hsm", "pin-source", "credential:NAME | file:PATH", NULL, "where the PIN stands", false},
	 OPTION_HSM, OPTION_REQUIRED, value_parse_pin_source, IN_CONFIG(hsm_pin_source), 0, 0},

	{{"export", "path", "directory", NULL, "the share that restores are written to", false},
	 OPTION_EXPORT, OPTION_REQUIRED, value_parse_path, IN_CONFIG(export_path), 0, 0},

	{{"access", "operate", "group", NULL, "who may read status and lists", false},
	 OPTION_ACCESS, 0, value_parse_text, IN_CONFIG(access_operate), 0, 0},
	{{"access", "restore", "group", NULL, "who may request restores", false},
	 OPTION_ACCESS, 0, value_parse_text, IN_CONFIG(access_restore), 0, 0},

	{{"siem", "server", "HOST[:PORT]", NULL,
	  "where the audit trail is forwarded to, by syslog over TLS; port 6514 unless another is "
	  "named", false},
	 OPTION_SIEM, OPTION_REQUIRED, value_parse_siem, 0, 0, 0},
	{{"siem", "tls-ca", "FILE | systemd:NAME", NULL,
	  "who must have signed its certificate, which must be for HOST", false},
	 OPTION_SIEM, OPTION_REQUIRED, value_parse_pem, IN_CONFIG(siem.tls_ca), 0, 0},
	{{"siem", "tls-certificate", "FILE | systemd:NAME", NULL, "our certificate", false},
	 OPTION_SIEM, OPTION_REQUIRED, value_parse_pem, IN_CONFIG(siem.tls_certificate), 0, 0},
	{{"siem", "tls-key", "FILE | systemd:NAME", NULL,
	  "the key of our certificate, readable by the forwarder's user or group alone", false},
	 OPTION_SIEM, OPTION_REQUIRED, value_parse_pem, IN_CONFIG(siem.tls_key), 0, 0},
	{{"siem", "state", "directory", NULL,
	  "how far it was forwarded: a directory of the forwarder's own", false},
	 OPTION_SIEM, OPTION_REQUIRED, value_parse_path, IN_CONFIG(siem.state), 0, 0},

	{{"retention NAME", "keep", "duration", NULL, "a segment expires at this age", true},
	 OPTION_RETENTION, OPTION_REQUIRED, value_parse_duration, IN_CLASS(keep_usec), DAY,
	 36500 * DAY},
	{{"retention NAME", "minimum", "duration", "0s", "keep may never be shorter", true},
	 OPTION_RETENTION, 0, value_parse_duration, IN_CLASS(minimum_usec), 0, 36500 * DAY},
	{{"retention NAME", "maximum", "duration", "0s", "keep may never be longer; 0s: no limit",
	  true},
	 OPTION_RETENTION, 0, value_parse_duration, IN_CLASS(maximum_usec), 0, 36500 * DAY},

	{{"client NAME", "address", "ADDRESS, …", NULL,
	  "the IP addresses of the host that reads what is restored for it", false},
	 OPTION_CLIENT, OPTION_REQUIRED | OPTION_LIST, value_parse_addresses, 0, 0, 0},
	{{"client NAME", "keep", "duration", "7d",
	  "what is restored for it is withdrawn at this age", false},
	 OPTION_CLIENT, 0, value_parse_duration, IN_CLIENT(keep_usec), USEC_PER_SEC, 365 * DAY},

	{{"source NAME", "servers", "HOST[:PORT], …", NULL, "the servers that hold this history",
	  false},
	 OPTION_SOURCE, OPTION_REQUIRED | OPTION_LIST | OPTION_OWN, value_parse_servers, 0, 0, 0},
	/* To server id 0 a server dumps its present files and then closes: never a replica. */
	{{"source NAME", "server-id", "number", NULL, "unique in the whole topology", false},
	 OPTION_SOURCE, OPTION_REQUIRED | OPTION_OWN, value_parse_number, IN_SOURCE(server_id),
	 1, UINT32_MAX},
	{{"source NAME", "user", "text", NULL, "the account on the server", false},
	 OPTION_SOURCE, OPTION_REQUIRED, value_parse_text, IN_SOURCE(user), 0, 0},
	{{"source NAME", "credential", "file:PATH | systemd:NAME | command:PATH | none", NULL,
	  "where its password stands (the first line), or the program that prints it; none: the "
	  "certificate alone", false},
	 OPTION_SOURCE, OPTION_REQUIRED, value_parse_credential, IN_SOURCE(credential), 0, 0},
	{{"source NAME", "retry-refused-login-after", "duration", "1d",
	  "a login that a server refused is tried there again after this time, or when its "
	  "credential changes; 0s: only then", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_SOURCE(retry_refused_login_usec), 0, 365 * DAY},
	{{"source NAME", "tls-ca", "FILE | systemd:NAME", NULL,
	  "who must have signed the server's certificate", false},
	 OPTION_SOURCE, OPTION_REQUIRED, value_parse_pem, IN_SOURCE(tls_ca), 0, 0},
	{{"source NAME", "tls-certificate", "FILE | systemd:NAME", NULL, "our certificate", false},
	 OPTION_SOURCE, 0, value_parse_pem, IN_SOURCE(tls_certificate), 0, 0},
	{{"source NAME", "tls-key", "FILE | systemd:NAME", NULL,
	  "the key of our certificate, readable by the puller's user or group alone", false},
	 OPTION_SOURCE, 0, value_parse_pem, IN_SOURCE(tls_key), 0, 0},
	{{"source NAME", "tls-minimum", "1.2 | 1.3", "1.2", "the lowest version of TLS", false},
	 OPTION_SOURCE, 0, value_parse_tls_minimum, IN_SOURCE(tls_minimum), 0, 0},
	{{"source NAME", "start", "oldest | now | FILE[:POSITION] | GTIDs", "oldest",
	  "where a new source begins: always with a whole file, the one that holds it", false},
	 OPTION_SOURCE, 0, value_parse_start, IN_SOURCE(start), 0, 0},
	{{"source NAME", "retention", "name", "default", "its class: [retention NAME]", false},
	 OPTION_SOURCE, 0, value_parse_name, IN_SOURCE(retention), 0, 0},
	{{"source NAME", "allowed-formats", "row, mixed, statement", "row",
	  "values of binlog_format that are archived", false},
	 OPTION_SOURCE, OPTION_LIST, value_parse_formats, 0, 0, 0},
	{{"source NAME", "require-role", "name", NULL, "the role that must be active at login",
	  false},
	 OPTION_SOURCE, 0, value_parse_text, IN_RULES(require_role), 0, 0},
	{{"source NAME", "excessive-grants", "refuse | warn", "refuse",
	  "an account that may do more than read binlogs: whoever steals its credential could "
	  "change data, or purge what is not archived yet", false},
	 OPTION_SOURCE, 0, value_parse_excess, IN_RULES(excessive_grants), 0, 0},
	{{"source NAME", "allow-any-host", "yes | warn | no", "warn",
	  "may the account's host be '%', so that a stolen credential is of use anywhere?", false},
	 OPTION_SOURCE, 0, value_parse_permission, IN_RULES(any_host), 0, 0},
	{{"source NAME", "require-source-encryption", LEVELS, "warn",
	  "the server encrypts its own binlogs (binlog_encryption, encrypt_binlog)", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(source_encryption), 0, 0},
	{{"source NAME", "require-whole-binlog", LEVELS, "yes",
	  "no binlog_do_db and no binlog_ignore_db: what they leave out cannot be restored", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(whole_binlog), 0, 0},
	{{"source NAME", "require-replica-updates", LEVELS, "yes",
	  "a replica writes what it replicates into its own binlog (log_replica_updates, "
	  "log_slave_updates)", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(replica_updates), 0, 0},
	{{"source NAME", "require-sync-binlog", LEVELS, "warn",
	  "sync_binlog is 1: else a crash takes from the server what the archive has", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(sync_binlog), 0, 0},
	{{"source NAME", "require-flush-log", LEVELS, "warn",
	  "innodb_flush_log_at_trx_commit is 1: else a crash takes from the tables what the binlog "
	  "has", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(flush_log), 0, 0},
	{{"source NAME", "require-after-sync", LEVELS, "warn",
	  "semi-sync waits before a transaction is seen by others (AFTER_SYNC)", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(after_sync), 0, 0},
	{{"source NAME", "require-full-row-image", LEVELS, "warn", "binlog_row_image is FULL",
	  false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(row_image), 0, 0},
	{{"source NAME", "require-no-sql-text", LEVELS, "warn",
	  "no events that carry the text of statements (binlog_rows_query_log_events, "
	  "binlog_annotate_row_events)", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(no_sql_text), 0, 0},
	{{"source NAME", "require-gtid", LEVELS, "warn",
	  "gtid_mode is ON (MySQL); with several servers it always must be", false},
	 OPTION_SOURCE, 0, value_parse_level, IN_RULES(gtid), 0, 0},
	{{"source NAME", "minimum-binlog-expiry", "duration", "1d",
	  "a server that purges binlogs earlier is a warning; 0s: it is not checked", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_RULES(binlog_expiry_usec), 0, 3650 * DAY},
	{{"source NAME", "server-uuid", "UUID, …", NULL,
	  "the server_uuid of each of its servers (MySQL): any other is refused", false},
	 OPTION_SOURCE, OPTION_LIST | OPTION_OWN, value_parse_uuids, IN_SOURCE(rules), 0, 0},
	{{"source NAME", "server-ids", "number, …", NULL,
	  "the server_id of each of its servers (MariaDB): any other is refused", false},
	 OPTION_SOURCE, OPTION_LIST | OPTION_OWN, value_parse_server_ids, IN_SOURCE(rules), 0,
	 UINT32_MAX},
	{{"source NAME", "tls-pin", "sha256:HASH, …", NULL,
	  "the SHA-256 of the public keys (SPKI, hexadecimal or base64) that its servers may have, "
	  "the present and the next", false},
	 OPTION_SOURCE, OPTION_LIST, value_parse_pins, IN_SOURCE(rules), 0, 0},
	{{"source NAME", "certificate-warning", "duration", "30d",
	  "a certificate that ends within this time is a warning", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_RULES(certificate_warning_usec), 0, 3650 * DAY},
	{{"source NAME", "heartbeat", "duration", "5s", "how often an idle server shows life",
	  false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_SOURCE(heartbeat_usec), 100 * USEC_PER_MSEC,
	 3600 * USEC_PER_SEC},
	{{"source NAME", "connect-timeout", "duration", "30s",
	  "how long a server may take from the first packet to the beginning of its dump", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_SOURCE(connect_timeout_usec), USEC_PER_SEC,
	 3600 * USEC_PER_SEC},
	{{"source NAME", "failover-after", "duration", "15s",
	  "how long the archived server may be away before another of `servers` goes on", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_SOURCE(failover_usec), 0, DAY},
	{{"source NAME", "rate-limit", "size", "0", "bytes a second; 0: no limit", false},
	 OPTION_SOURCE, 0, value_parse_size, IN_SOURCE(rate_limit), 0, TIB},
	{{"source NAME", "semi-sync", "yes | no", "no",
	  "acknowledge to the server what is durable, so that commits wait for it", false},
	 OPTION_SOURCE, 0, value_parse_yes_no, IN_SOURCE(semi_sync), 0, 0},
	{{"source NAME", "max-bytes-per-day", "size", "0",
	  "binlog bytes that are archived in a day (UTC); 0: no limit", false},
	 OPTION_SOURCE, 0, value_parse_size, IN_SOURCE(max_bytes_per_day), 0, 1024 * TIB},
	{{"source NAME", "max-segments-per-hour", "number", "0",
	  "segments that are opened in an hour of the clock; 0: no limit", false},
	 OPTION_SOURCE, 0, value_parse_number, IN_SOURCE(max_segments_per_hour), 0, 100000},
	{{"source NAME", "maximum-uncovered", "duration", "60s",
	  "status says ATTENTION if the source is not covered for longer", false},
	 OPTION_SOURCE, 0, value_parse_duration, IN_SOURCE(maximum_uncovered_usec), USEC_PER_SEC,
	 365 * DAY},
	/* clang-format on */
};

const struct option *option_at(size_t index)
{
	return index < ARRAY_LENGTH(options) ? &options[index] : NULL;
}

const struct config_option *config_option_at(size_t index)
{
	return index < ARRAY_LENGTH(options) ? &options[index].shown : NULL;
}
