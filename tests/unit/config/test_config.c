#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/units.h"
#include "config/config.h"

#define ARCHIVE "[archive]\nname = vault01\nvolume = /vol/a\n"
#define HSM                                                                                        \
	"[hsm]\nmodule = /lib/m.so\ntoken-label = t\nstate = /var/lib/h\npin-source = file:/pin\n"
#define DEFAULTS "[defaults]\nuser = binvault\ntls-ca = /ca.pem\ncredential = file:/pw\n"
#define BASE	 ARCHIVE HSM
#define SIEM                                                                                       \
	"[siem]\nserver = siem.bank.example\ntls-ca = /ca\ntls-certificate = "                     \
	"systemd:siem.pem\ntls-key = /key\nstate = /state\n"
#define SOURCE "[source orders]\nservers = db1\nserver-id = 7\n"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct error err = {0};

	assert_ok(config_parse("f", text, strlen(text), &config, &err), &err);
	return config;
}

/* The two pins of the file are the same hash, written in both ways. */
static void assert_rules_are_read(const struct config_rules *rules)
{
	assert_string_equal(rules->require_role, "binvault_archive");
	assert_int_equal(rules->excessive_grants, LEVEL_WARN);
	assert_int_equal(rules->any_host, LEVEL_YES);
	assert_int_equal(rules->source_encryption, LEVEL_YES);
	assert_int_equal(rules->whole_binlog, LEVEL_YES);
	assert_int_equal(rules->sync_binlog, LEVEL_WARN);
	assert_int_equal(rules->binlog_expiry_usec, 3 * 86400 * USEC_PER_SEC);
	assert_int_equal(rules->certificate_warning_usec, 30 * 86400 * USEC_PER_SEC);
	assert_int_equal(rules->server_uuid_count, 2);
	assert_int_equal(rules->server_uuids[0][0], 0x1b);
	assert_int_equal(rules->server_uuids[1][15], 0x28);
	assert_int_equal(rules->server_id_count, 2);
	assert_int_equal(rules->server_ids[1], 12);
	assert_int_equal(rules->tls_pin_count, 2);
	assert_int_equal(rules->tls_pins[0][0], 0xe3);
	assert_memory_equal(rules->tls_pins[0], rules->tls_pins[1], CONFIG_PIN_SIZE);
}

static void a_whole_file_fills_every_field(void **state)
{
	struct config *config = NULL;
	struct error err = {0};
	const struct config_source *orders, *crm;

	(void)state;
	assert_ok(config_load("tests/fuzz/corpus/fuzz_config/whole.conf", &config, &err), &err);
	assert_string_equal(config->name, "vault01");
	assert_int_equal(config->volume_count, 1);
	assert_string_equal(config->volumes[0], "/vol/a");
	assert_int_equal(config->worm, WORM_REQUIRED);
	assert_int_equal(config->segment_size, 256 << 20);
	assert_int_equal(config->segment_age_usec, 900 * USEC_PER_SEC);
	assert_int_equal(config->frame_delay_usec, 100000);
	assert_int_equal(config->reserve, UINT64_C(20) << 30);
	assert_string_equal(config->hsm_pin_source, "credential:hsm-pin");
	assert_null(config->hsm_token_serial);
	assert_string_equal(config->export_path, "/export");
	assert_string_equal(config->access_restore, "dba-restore");
	assert_int_equal(config->class_count, 2);
	assert_string_equal(config->classes[0].name, "finance");
	assert_int_equal(config->classes[0].maximum_usec, 3650 * 86400 * USEC_PER_SEC);
	assert_string_equal(config->classes[1].name, "default");
	assert_int_equal(config->classes[1].keep_usec, 0);
	orders = config_find_source(config, "orders");
	assert_non_null(orders);
	assert_int_equal(orders->server_count, 3);
	assert_string_equal(orders->servers[0].host, "db1.bank.example");
	assert_string_equal(orders->servers[2].host, "fd00::1");
	assert_int_equal(orders->servers[1].port, 3306);
	assert_int_equal(orders->servers[2].port, 3307);
	assert_int_equal(orders->server_id, 990017);
	assert_string_equal(orders->start, "mariadb-bin.000100");
	assert_string_equal(orders->retention, "finance");
	assert_int_equal(orders->tls_minimum, TLS_MINIMUM_1_3);
	assert_true(orders->allow_row && orders->allow_mixed && !orders->allow_statement);
	assert_int_equal(orders->rate_limit, 200 << 20);
	assert_rules_are_read(&orders->rules);
	assert_int_equal(config->client_count, 2);
	assert_string_equal(config->clients[0].name, "restore1");
	assert_int_equal(config->clients[0].address_count, 2);
	assert_string_equal(config->clients[0].addresses[1], "fd00::7");
	assert_int_equal(config->clients[0].keep_usec, 86400 * USEC_PER_SEC);
	assert_int_equal(config->clients[1].keep_usec, 7 * 86400 * USEC_PER_SEC);
	assert_ptr_equal(config_find_client(config, "restore2"), &config->clients[1]);
	assert_null(config_find_client(config, "restore3"));
	crm = config_find_source(config, "crm");
	assert_string_equal(crm->retention, "default");
	assert_string_equal(crm->start, "oldest");
	assert_false(crm->semi_sync);
	assert_null(crm->tls_key);
	assert_null(config_find_source(config, "hr"));
	config_free(config);
}

static void a_siem_is_named_with_all_that_mutual_tls_needs(void **state)
{
	struct config *config = parse(BASE SIEM);
	struct config *none = parse(BASE);

	(void)state;
	assert_string_equal(config->siem.host, "siem.bank.example");
	assert_int_equal(config->siem.port, 6514);
	assert_string_equal(config->siem.tls_ca, "/ca");
	assert_string_equal(config->siem.tls_certificate, "systemd:siem.pem");
	assert_string_equal(config->siem.tls_key, "/key");
	assert_string_equal(config->siem.state, "/state");
	assert_null(none->siem.host);
	assert_null(none->siem.state);
	config_free(config);
	config_free(none);
}

static void defaults_hold_wherever_they_stand(void **state)
{
	struct config *config = parse(BASE SOURCE DEFAULTS "heartbeat = 9s\nsemi-sync = yes\n");

	(void)state;
	assert_string_equal(config->sources[0].user, "binvault");
	assert_int_equal(config->sources[0].heartbeat_usec, 9 * USEC_PER_SEC);
	assert_int_equal(config->sources[0].connect_timeout_usec, 30 * USEC_PER_SEC);
	assert_true(config->sources[0].semi_sync);
	assert_true(config->sources[0].allow_row);
	assert_int_equal(config->reserve, UINT64_C(1) << 30);
	assert_string_equal(config->runtime, "/run/binvault");
	config_free(config);
}

static void a_file_without_last_newline_or_with_windows_ends_is_read(void **state)
{
	struct config *config = parse("\xef\xbb\xbf[archive] ; c\r\nname = v\r\nvolume = /a ; c\r\n"
				      "\r\n  # c\r\n[ hsm\t]\r\nmodule=/m\r\nstate=/s\r\n"
				      "token-serial = 1\r\npin-source=file:/pin");

	(void)state;
	assert_string_equal(config->volumes[0], "/a");
	assert_string_equal(config->hsm_pin_source, "file:/pin");
	config_free(config);
}

static void a_long_source_name_is_not_cut(void **state)
{
	struct config *config = parse(
		BASE DEFAULTS "[source aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab]"
			      "\nservers = h\nserver-id = 1\n");

	(void)state;
	assert_int_equal(strlen(config->sources[0].name), 59);
	config_free(config);
}

static const struct {
	const char *text, *sentence;
} mistakes[] = {
	/* lines */
	{"x = 1\n", "f:1: the first line must be a section"},
	{"[archive\n", "f:1: the section's ']' is missing"},
	{"[archive] name = x\n", "f:1: nothing but a comment may follow"},
	{"[ ]\n", "f:1: the section has no name"},
	{"[archive]\nname\n", "f:2: this is neither '[section]'"},
	{"[archive]\nname: x\n", "f:2: this is neither '[section]'"},
	{"[archive]\nname : a=b\n", "f:2: this is neither '[section]'"},
	{"[archive]\nName = x\n", "f:2: this is neither '[section]'"},
	{"[archive]\nname =\n", "f:2: the key has no value"},
	{"[archive]\nname = ; x\n", "f:2: the key has no value"},
	{"[archive]\nname = \"x\"\n", "f:2: a value is written without quotes"},
	{"[archive]\nname = x # y\n", "f:2: a comment behind a value begins with ' ;'"},
	{"[archive]\nname = x;y\n", "f:2: a value cannot hold ';'"},
	{"[archive]\nname = a\x01\n", "f:2: the line holds a control character"},
	{"[archive]\n name = a\n", "f:2: a section or key begins at the first"},
	{"[archive]\nname = a\n  [hsm]\n", "f:3: a section or key begins at the first"},
	{"[archive]\n  b\n", "f:2: an indented line continues a list, and there is none"},
	{"[archive]\nname = a\n  b\n" HSM, "f:2: 'name' takes one value"},
	{"[archive]\nname = a\nname = b\n", "f:3: key 'name' stands already in line 2"},
	{"[archive]\nname = a\n[archive ]\n", "f:3: section [archive] stands already in "
					      "line 1"},
	{"[source a]\n[source \t a]\n", "f:2: section [source a] stands already"},
	/* sections and keys */
	{"", "f:1: section [archive] is missing"},
	{ARCHIVE, "f:3: section [hsm] is missing"},
	{BASE "[client a]\naddress = 192.0.2.1\n", "f:9: section [client a] needs [export] path"},
	{BASE "[export]\npath = /e\n[client a]\naddress = 192.0.2.0/24\n",
	 "f:12: 'address': '192.0.2.0/24' is no IP address"},
	{BASE "[export]\npath = /e\n[client a]\naddress = host1\n",
	 "f:12: 'address': 'host1' is no IP address"},
	{BASE "[export]\npath = /e\n[client a]\nkeep = 1d\n",
	 "f:11: section [client a] lacks the key 'address'"},
	{BASE "[export]\npath = /e\n[client a]\naddress = fd00::1\n[client b]\n"
	      "address = 192.0.2.1, fd00:0::1\n",
	 "f:14: client 'a' has the address fd00::1 already"},
	{BASE "[siem]\nserver = s\n", "f:9: section [siem] lacks the key 'tls-ca'"},
	{BASE "[siem]\nserver = a, b\n", "f:10: 'server': one server only"},
	{BASE "[siem]\nserver = a:0\n", "f:10: 'server': port of server 'a'"},
	{BASE SIEM "[siem]\n", "f:15: section [siem] stands already"},
	{BASE "[siem s]\n", "f:9: section [siem] takes no name"},
	{"[archve]\n", "f:1: unknown section [archve]; known are: archive, hsm"},
	{"[archive x]\n", "f:1: section [archive] takes no name"},
	{"[source]\n", "f:1: section [source NAME]: source name of 0 characters"},
	{"[source A/b]\n", "f:1: section [source NAME]: source name holds"},
	{ARCHIVE "cache = /x\n", "f:4: unknown key 'cache' in section [archive]; known "
				 "are: name, volume, worm"},
	{"[hsm]\npin = 1234\n", "f:2: a password or PIN does not belong"},
	{BASE "[source a]\npassword = secret\n", "f:10: a password or PIN does not"},
	{"[archive]\nvolume = /a\n" HSM, "f:1: section [archive] lacks the key 'name'"},
	{"[archive]\nname = a\n" HSM, "f:1: section [archive] lacks the key 'volume'"},
	{ARCHIVE "[hsm]\nmodule = /m\nstate = /s\npin-source = file:/p\n",
	 "f:4: section [hsm] lacks the key 'token-label' (or 'token-serial')"},
	{BASE "[export]\n", "f:9: section [export] lacks the key 'path'"},
	{BASE "[retention x]\n", "f:9: section [retention x] lacks the key 'keep'"},
	{BASE DEFAULTS "[source a]\nservers = h\n", "f:13: section [source a] lacks the "
						    "key 'server-id'"},
	{BASE "[defaults]\nuser = u\ncredential = file:/p\n" SOURCE,
	 "f:12: section [source orders] lacks the key 'tls-ca'"},
	{BASE "[defaults]\nservers = u\n", "f:10: 'servers' belongs into each [source"},
	/* values */
	{"[archive]\nname = A b\nvolume = /a\n" HSM, "f:2: 'name': 'A b' is not a name"},
	{ARCHIVE "worm = yes\n" HSM, "f:4: 'worm': 'yes' is not one of: required | "
				     "advisory"},
	{ARCHIVE "segment-size = 1023K\n" HSM, "f:4: 'segment-size': '1023K' is out of "
					       "range: 1.00 MiB to 1.00 GiB"},
	{ARCHIVE "segment-size = 2G\n" HSM, "f:4: 'segment-size': '2G' is out of range"},
	{ARCHIVE "segment-size = big\n" HSM, "f:4: 'segment-size': 'big' is not a size"},
	{ARCHIVE "segment-age = 15\n" HSM, "f:4: 'segment-age': '15' is not a duration"},
	{ARCHIVE "frame-delay = 11s\n" HSM, "f:4: 'frame-delay': '11s' is out of range: 0s "
					    "to 10s"},
	{ARCHIVE "runtime = run\n" HSM, "f:4: 'runtime': 'run' is not an absolute path"},
	{"[archive]\nname = a\nvolume = a\n" HSM, "f:3: 'volume': 'a' is not an absolute"},
	{"[archive]\nname = a\nvolume = /a, /b\n" HSM, "f:3: 'volume': this version keeps "
						       "one volume"},
	{"[archive]\nname = a\nvolume = /a,,\n" HSM, "f:3: 'volume': the list has an empty"},
	{ARCHIVE "[hsm]\nmodule = m\n", "f:5: 'module': 'm' is not an absolute path"},
	{ARCHIVE "[hsm]\nmodule = /m\nstate = /s\npin-source = 1234\n",
	 "f:7: 'pin-source': a PIN does not belong into the configuration"},
	{ARCHIVE "[hsm]\nmodule = /m\nstate = /s\npin-source = file:pin\n",
	 "f:7: 'pin-source': 'pin' is not an absolute path"},
	{BASE "[retention x]\nkeep = 2d\nminimum = 3d\n", "f:11: 'keep' is shorter than "
							  "'minimum'"},
	{BASE "[retention x]\nkeep = 9d\nmaximum = 3d\n", "f:11: 'keep' is longer than"},
	{BASE "[retention x]\nkeep = 1h\n", "f:10: 'keep': '1h' is out of range: 1d to"},
	{BASE DEFAULTS "heartbeat = x\n", "f:13: 'heartbeat': 'x' is not a duration"},
	{BASE DEFAULTS SOURCE "credential = hunter2\n", "f:16: 'credential': a password "
							"does not belong"},
	{BASE DEFAULTS SOURCE "credential = command:fetch\n",
	 "f:16: 'credential': 'fetch' is not an absolute path"},
	{BASE DEFAULTS SOURCE "tls-key = systemd:a/b\n", "f:16: 'tls-key': "},
	{BASE DEFAULTS SOURCE "tls-certificate = pem\n",
	 "f:16: 'tls-certificate': 'pem' is not an absolute path"},
	{BASE DEFAULTS SOURCE "retry-refused-login-after = 366d\n",
	 "f:16: 'retry-refused-login-after': '366d' is out of range: 0s to 365d"},
	{BASE DEFAULTS SOURCE "credential = none\n", "f:16: 'credential = none' needs"},
	{BASE DEFAULTS SOURCE "tls-key = /k\n", "f:16: 'tls-certificate' and 'tls-key' are "
						"given together"},
	{BASE DEFAULTS SOURCE "tls-ca = ca.pem\n", "f:16: 'tls-ca': 'ca.pem' is not an"},
	{BASE DEFAULTS SOURCE "tls-minimum = 1.1\n", "f:16: 'tls-minimum': '1.1' is not"},
	{BASE DEFAULTS SOURCE "retention = gold\n", "f:16: there is no section [retention "
						    "gold]"},
	{BASE DEFAULTS SOURCE "semi-sync = on\n", "f:16: 'semi-sync': 'on' is not one of: yes | "
						  "no"},
	{BASE DEFAULTS SOURCE "start = a/b\n", "f:16: 'start': 'a/b' is not one of"},
	{BASE DEFAULTS SOURCE "allowed-formats = row, col\n", "f:16: 'allowed-formats': "
							      "'col' is not one of"},
	{BASE DEFAULTS SOURCE "require-gtid = maybe\n",
	 "f:16: 'require-gtid': 'maybe' is not one of: yes | warn | no"},
	{BASE DEFAULTS SOURCE "excessive-grants = no\n",
	 "f:16: 'excessive-grants': 'no' is not one of: refuse | warn"},
	{BASE DEFAULTS SOURCE "allow-any-host = %\n", "f:16: 'allow-any-host': '%' is not one"},
	{BASE DEFAULTS SOURCE "server-uuid = 1b4e28ba2fa111d2883f0016d3cca427\n",
	 "f:16: 'server-uuid': '1b4e28ba2fa111d2883f0016d3cca427' is not a UUID as"},
	{BASE DEFAULTS SOURCE "server-uuid = 1b4e28ba-2fa1-11d2-883f-0016d3cca42-\n",
	 "f:16: 'server-uuid': '1b4e28ba-2fa1-11d2-883f-0016d3cca42-' is not a UUID as"},
	{BASE DEFAULTS SOURCE "server-uuid = 1b4e28ba-2fa1-11d2-883f-0016d3cca4277\n",
	 "f:16: 'server-uuid': '1b4e28ba-2fa1-11d2-883f-0016d3cca4277' is not a UUID as"},
	{BASE DEFAULTS SOURCE "server-ids = 1,2,3,4,5,6,7,8,9\n",
	 "f:16: 'server-ids': more than 8 server ids"},
	{BASE DEFAULTS SOURCE "server-ids = x\n", "f:16: 'server-ids': 'x' is not a whole"},
	{BASE DEFAULTS SOURCE "tls-pin = 00\n", "f:16: 'tls-pin': '00' does not begin with"},
	{BASE DEFAULTS SOURCE "tls-pin = sha256:00\n",
	 "f:16: 'tls-pin': 'sha256:00' is neither 64 lower-case"},
	{BASE DEFAULTS "server-uuid = x\n", "f:13: 'server-uuid' belongs into each [source"},
	{BASE DEFAULTS "[source a]\nservers = h\nserver-id = 0\n",
	 "f:15: 'server-id': '0' is out of range: 1 to 4294967295"},
	{BASE DEFAULTS "[source a]\nservers = h\nserver-id = -1\n",
	 "f:15: 'server-id': '-1' is not a whole number"},
	{BASE DEFAULTS SOURCE "[source b]\nservers = h\nserver-id = 7\n",
	 "f:18: source 'orders' has the server id 7 already"},
	{BASE DEFAULTS "[source a]\nserver-id = 1\nservers = h:0\n",
	 "f:15: 'servers': port of server 'h': '0' is out of range"},
	{BASE DEFAULTS "[source a]\nserver-id = 1\nservers = ::1\n",
	 "f:15: 'servers': '::1' has more than one ':'"},
	{BASE DEFAULTS "[source a]\nserver-id = 1\nservers = [::1\n",
	 "f:15: 'servers': '[::1' is not [ADDRESS]:PORT"},
	{BASE DEFAULTS "[source a]\nserver-id = 1\nservers = a,b,c,d,e,f,g,h,i\n",
	 "f:15: 'servers': more than 8 servers"},
	{ARCHIVE "runtime = /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" HSM DEFAULTS SOURCE,
	 "f:14: the socket"},
};

static void every_mistake_has_its_line_and_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
		struct config *config = NULL;
		struct error err = {0};
		int result = config_parse("f", mistakes[i].text, strlen(mistakes[i].text), &config,
					  &err);

		if (result != ERROR_USAGE || err.code != ERROR_USAGE ||
		    strncmp(err.message, mistakes[i].sentence, strlen(mistakes[i].sentence)) != 0)
			fail_msg("mistake %zu: '%s' does not begin with '%s'", i, err.message,
				 mistakes[i].sentence);
		assert_null(config);
		/* What may be a password or a PIN is never repeated. */
		assert_null(strstr(err.message, "hunter2"));
		assert_null(strstr(err.message, "1234"));
		assert_null(strstr(err.message, "secret"));
	}
}

static void a_line_that_the_parser_would_cut_is_refused(void **state)
{
	char text[512] = "[archive]\nvolume = /";
	struct config *config = NULL;
	struct error err = {0};

	(void)state;
	memset(text + strlen(text), 'a', 300);
	assert_fails(config_parse("f", text, strlen(text), &config, &err), &err, ERROR_USAGE,
		     "f:2: the line is longer than 198 characters");
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[archive]\nname = a\0b\n";
	struct config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_fails(config_parse("f", text, sizeof(text) - 1, &config, &err), &err, ERROR_USAGE,
		     "f:2: the line holds a control character");
}

static void a_missing_file_or_a_directory_has_a_sentence(void **state)
{
	struct config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_fails(config_load("/nonexistent/b.conf", &config, &err), &err, ERROR_USAGE,
		     "configuration '/nonexistent/b.conf': No such file");
	assert_fails(config_load("/", &config, &err), &err, ERROR_USAGE, "not a regular file");
}

static void a_fifo_has_a_sentence(void **state)
{
	char directory[] = "/tmp/binvault-config-XXXXXX";
	char path[64];
	struct config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_fails(config_load(path, &config, &err), &err, ERROR_USAGE, "not a regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void sockets_lie_below_the_runtime_directory(void **state)
{
	struct config *config = parse(BASE DEFAULTS SOURCE);
	char path[CONFIG_SOCKET_PATH_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(config_socket(config, "hsm", path, &err), &err);
	assert_string_equal(path, "/run/binvault/hsm.sock");
	assert_ok(config_socket_pull(config, "orders", path, &err), &err);
	assert_string_equal(path, "/run/binvault/pull-orders.sock");
	config_free(config);
}

static void too_many_sources_are_refused(void **state)
{
	size_t size = 65536;
	char *text = malloc(size);
	struct config *config = NULL;
	struct error err = {0};
	int used;

	(void)state;
	used = snprintf(text, size, "%s", BASE DEFAULTS);
	for (int i = 0; i <= CONFIG_SOURCES_MAX; i++)
		used += snprintf(text + used, size - used,
				 "[source s%d]\nservers = h\nserver-id = %d\n", i, i + 1);
	assert_fails(config_parse("f", text, used, &config, &err), &err, ERROR_USAGE,
		     "f:205: more than 64 sources");
	free(text);
}

static void the_table_explains_every_key(void **state)
{
	const struct config_option *option;
	size_t count = 0;

	(void)state;
	for (; (option = config_option_at(count)); count++) {
		assert_true(option->section[0] && option->key[0] && option->kind[0]);
		assert_true(option->help[0]);
	}
	assert_true(count > 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_fills_every_field),
		cmocka_unit_test(a_siem_is_named_with_all_that_mutual_tls_needs),
		cmocka_unit_test(defaults_hold_wherever_they_stand),
		cmocka_unit_test(a_file_without_last_newline_or_with_windows_ends_is_read),
		cmocka_unit_test(a_long_source_name_is_not_cut),
		cmocka_unit_test(every_mistake_has_its_line_and_sentence),
		cmocka_unit_test(a_line_that_the_parser_would_cut_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_missing_file_or_a_directory_has_a_sentence),
		cmocka_unit_test(a_fifo_has_a_sentence),
		cmocka_unit_test(sockets_lie_below_the_runtime_directory),
		cmocka_unit_test(too_many_sources_are_refused),
		cmocka_unit_test(the_table_explains_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
