/*
 * The configuration file: INI, one table row per option (config/options.c), read once at start.
 *
 * A mistake is `FILE:LINE: sentence`: an unknown section or key, a value that is not of its kind,
 * a missing key. Keys marked as policy in the table are written into the ledger by `init`, and a
 * later file may only be stricter. [defaults] gives every source's fall-backs, wherever it stands.
 *
 * Owns: all of its texts; read-only after config_load().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "config/section.h"

#define CONFIG_PATH_DEFAULT "/etc/binvault/binvault.conf"
#define CONFIG_VOLUMES_MAX  4
#define CONFIG_SERVERS_MAX  8
#define CONFIG_SOURCES_MAX  64
#define CONFIG_PINS_MAX	    8
#define CONFIG_PIN_SIZE	    32 /* SHA-256 of a SubjectPublicKeyInfo */

enum worm_mode { WORM_REQUIRED, WORM_ADVISORY };
enum tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };

/* What a rule of the pre-flight does where it does not hold. */
enum config_level { LEVEL_NO, LEVEL_WARN, LEVEL_YES /* refuse the server */ };

struct config_server {
	char *host;
	uint16_t port;
};

/* What must hold of a source's servers, checked at every connect (pull/preflight.h). */
struct config_rules {
	char *require_role; /* NULL: none */
	enum config_level excessive_grants, any_host;
	enum config_level source_encryption;
	enum config_level whole_binlog, replica_updates, sync_binlog, flush_log, after_sync;
	enum config_level row_image, no_sql_text, gtid;
	uint64_t binlog_expiry_usec;	   /* shorter is a warning; 0: not checked */
	uint64_t certificate_warning_usec; /* a certificate that ends so soon is a warning */
	uint8_t server_uuids[CONFIG_SERVERS_MAX][16]; /* MySQL; none: any */
	size_t server_uuid_count;
	uint32_t server_ids[CONFIG_SERVERS_MAX]; /* MariaDB; none: any */
	size_t server_id_count;
	uint8_t tls_pins[CONFIG_PINS_MAX][CONFIG_PIN_SIZE]; /* none: any key */
	size_t tls_pin_count;
};

struct config_source {
	char name[SOURCE_NAME_MAX + 1];
	struct config_server servers[CONFIG_SERVERS_MAX];
	size_t server_count;
	uint32_t server_id;
	char *user;
	char *credential; /* "file:PATH" (first line: the password), "systemd:NAME", "command:PATH",
			   * "none" */
	uint64_t retry_refused_login_usec; /* 0: only when the credential changes */
	char *tls_ca;			   /* of these three each a path or "systemd:NAME" */
	char *tls_certificate;		   /* NULL: none; never so with credential "none" */
	char *tls_key;			   /* NULL exactly if tls_certificate is */
	enum tls_minimum tls_minimum;
	struct config_rules rules;
	char *start; /* as config/start.h says */
	char retention[SOURCE_NAME_MAX + 1];
	bool allow_row, allow_mixed, allow_statement;
	uint64_t heartbeat_usec;
	uint64_t connect_timeout_usec; /* of TCP, TLS, login and pre-flight together */
	uint64_t failover_usec;
	uint64_t rate_limit; /* bytes a second, 0: none */
	uint64_t maximum_uncovered_usec;
	uint64_t max_bytes_per_day;	/* of the binlog, 0: no limit */
	uint32_t max_segments_per_hour; /* 0: no limit */
	bool semi_sync;			/* acknowledge what is durable */
};

struct config {
	char *path;
	uint8_t hash[32];	 /* SHA-256 of the file's bytes; zero until bundle_identify() */
	uint64_t bundle_version; /* of the bundle that the file comes from; 0: from none */
	uint8_t bundle_hash[32]; /* SHA-256 of that bundle, sealed */

	char *name;
	char *volumes[CONFIG_VOLUMES_MAX];
	size_t volume_count;
	enum worm_mode worm; /* [P] */
	uint64_t segment_size, segment_age_usec, frame_delay_usec, reserve;
	char *runtime; /* directory of the sockets, default /run/binvault */

	char *hsm_module, *hsm_state;
	char *hsm_token_label, *hsm_token_serial; /* at least one of them */
	char *hsm_pin_source;			  /* "credential:NAME" or "file:PATH" */

	char *export_path; /* may be NULL: no restores */

	char *access_operate, *access_restore; /* group names, NULL: root alone */

	struct config_siem siem;

	struct config_class classes[CONFIG_CLASSES_MAX];
	size_t class_count;
	struct config_client clients[CONFIG_CLIENTS_MAX];
	size_t client_count;
	struct config_source sources[CONFIG_SOURCES_MAX];
	size_t source_count;
};

/* Read and check the whole file. ERROR_USAGE with FILE:LINE, also if there is no such file. */
int config_load(const char *path, struct config **ret_config, struct error *err) MUST_CHECK;

/* The two halves of it, for who needs the bytes as well (their hash); free the text. */
int config_read(const char *path, char **ret_text, size_t *ret_size, struct error *err) MUST_CHECK;
int config_parse(const char *path, const char *text, size_t size, struct config **ret_config,
		 struct error *err) MUST_CHECK;

void config_free(struct config *config);
DEFINE_CLEANUP(config_free, struct config *);

/* NULL if there is no such source. */
const struct config_source *config_find_source(const struct config *config, const char *name);

const struct config_client *config_find_client(const struct config *config, const char *name);

/* Paths of the sockets below `runtime`. */
#define CONFIG_SOCKET_PATH_SIZE 108
int config_socket_pull(const struct config *config, const char *source,
		       char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err) MUST_CHECK;
int config_socket(const struct config *config, const char *name /* "operator", "hsm", "export" */,
		  char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err) MUST_CHECK;

/* The table, for the manual page and `help`: one row per option, NULL behind the last. */
struct config_option {
	const char *section; /* "archive", "source NAME" */
	const char *key;
	const char *kind;     /* what its value looks like: "size", "oldest | now | FILE" */
	const char *fallback; /* NULL: none */
	const char *help;
	bool policy;
};
const struct config_option *config_option_at(size_t index);
