/*
 * The configuration file: INI, one table row per option (config/options.c), read once at start.
 *
 * A mistake is `FILE:LINE: sentence`: an unknown section or key, a value that is not of its kind,
 * a missing key. Keys marked [P] in the table are policy: `init` writes them into the ledger, and a
 * later file may only be stricter (config_policy_compare()).
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

#define CONFIG_PATH_DEFAULT "/etc/binvault/binvault.conf"
#define CONFIG_VOLUMES_MAX  4
#define CONFIG_SERVERS_MAX  8
#define CONFIG_SOURCES_MAX  64
#define CONFIG_CLASSES_MAX  16

enum worm_mode { WORM_REQUIRED, WORM_ADVISORY };
enum tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };

struct config_server {
	char *host;
	uint16_t port;
};

struct config_source {
	char name[SOURCE_NAME_MAX + 1];
	struct config_server servers[CONFIG_SERVERS_MAX];
	size_t server_count;
	uint32_t server_id;
	char *user;
	char *credential; /* "file:PATH" (first line: the password), "systemd:NAME", "none" */
	char *tls_ca;
	char *tls_certificate; /* may be NULL */
	char *tls_key;
	enum tls_minimum tls_minimum;
	char *start; /* "oldest", "now" or a binlog file name */
	char retention[SOURCE_NAME_MAX + 1];
	bool allow_row, allow_mixed, allow_statement;
	uint64_t heartbeat_usec;
	uint64_t rate_limit; /* bytes a second, 0: none */
};

struct config_class { /* [retention NAME], policy */
	char name[SOURCE_NAME_MAX + 1];
	uint64_t keep_usec, minimum_usec, maximum_usec;
};

struct config {
	char *path;
	uint8_t hash[32]; /* SHA-256 of the file's bytes, set by the program (config/ has no crypto)
			   */

	char *name;
	char *volumes[CONFIG_VOLUMES_MAX];
	size_t volume_count;
	enum worm_mode worm; /* [P] */
	uint64_t segment_size, segment_age_usec, frame_delay_usec, reserve;
	char *runtime; /* directory of the sockets, default /run/binvault */

	char *hsm_module, *hsm_token_label, *hsm_token_serial, *hsm_state, *hsm_pin_source;

	char *export_path; /* may be NULL: no restores */

	char *access_operate, *access_restore; /* group names, NULL: root alone */

	struct config_class classes[CONFIG_CLASSES_MAX];
	size_t class_count;
	struct config_source sources[CONFIG_SOURCES_MAX];
	size_t source_count;
};

/* Read and check the whole file. ERROR_USAGE with FILE:LINE. ERROR_NOT_FOUND if there is none. */
int config_load(const char *path, struct config **ret_config, struct error *err) MUST_CHECK;
void config_free(struct config *config);
DEFINE_CLEANUP(config_free, struct config *);

/* NULL if there is no such source. */
const struct config_source *config_find_source(const struct config *config, const char *name);

/* Paths of the sockets below `runtime`. */
#define CONFIG_SOCKET_PATH_SIZE 108
int config_socket_pull(const struct config *config, const char *source,
		       char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err) MUST_CHECK;
int config_socket(const struct config *config, const char *name /* "operator", "hsm", "export" */,
		  char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err) MUST_CHECK;

/* The table, for man page, completion and `--help`: one row per option. */
struct config_option {
	const char *section, *key, *kind, *fallback, *help;
	bool policy;
};
const struct config_option *config_options(size_t *ret_count);
