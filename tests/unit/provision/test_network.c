#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "provision/network.h"

static const char hosts[] = "# of the bank\n"
			    "198.51.100.7\tdb1.bank.example db1   # the primary\n"
			    "not-an-address db2\r\n"
			    "2001:db8::5 db2 DB3\n"
			    "198.51.100.9 db1";

static void a_name_has_the_first_address_that_the_file_gives_it(void **state)
{
	char address[INET6_ADDRSTRLEN];
	struct error err = {0};

	(void)state;
	assert_ok(network_address(hosts, "db1", address, &err), &err);
	assert_string_equal(address, "198.51.100.7");
	assert_ok(network_address(hosts, "DB1.bank.example", address, &err), &err);
	assert_string_equal(address, "198.51.100.7");
	assert_ok(network_address(hosts, "db2", address, &err), &err);
	assert_string_equal(address, "2001:db8::5");
	assert_ok(network_address("", "192.0.2.1", address, &err), &err);
	assert_string_equal(address, "192.0.2.1");
	assert_fails(network_address(hosts, "primary", address, &err), &err, ERROR_NOT_FOUND,
		     "'primary' has no address");
	assert_fails(network_address(hosts, "of", address, &err), &err, ERROR_NOT_FOUND, "'of'");
}

static const struct time_servers no_clocks;

/* A configuration of one source with these servers. */
static struct config *make_config(struct config_server *servers, size_t count)
{
	struct config *config = calloc(1, sizeof(*config));

	assert_non_null(config);
	config->source_count = 1;
	memcpy(config->sources[0].name, "orders", sizeof("orders"));
	config->sources[0].server_count = count;
	if (count > 0)
		memcpy(config->sources[0].servers, servers, count * sizeof(servers[0]));
	return config;
}

static void only_the_way_to_each_server_is_opened(void **state)
{
	static char rules[NETWORK_TEXT_SIZE];
	char name[] = "db1", address[] = "2001:db8::6";
	struct config_server servers[] = {{name, 3306}, {address, 3307}};
	struct config *config = make_config(servers, 2);
	struct error err = {0};

	(void)state;
	assert_ok(network_rules(config, &no_clocks, hosts, rules, &err), &err);
	assert_string_equal(
		rules, "add rule inet binvault output ip daddr 198.51.100.7 tcp dport 3306 accept\n"
		       "add rule inet binvault input ip saddr 198.51.100.7 tcp sport 3306 ct state "
		       "established accept\n"
		       "add rule inet binvault output ip6 daddr 2001:db8::6 tcp dport 3307 accept\n"
		       "add rule inet binvault input ip6 saddr 2001:db8::6 tcp sport 3307 ct state "
		       "established accept\n"
		       "add rule inet binvault output icmpv6 type { nd-neighbor-solicit, "
		       "nd-neighbor-advert } accept\n"
		       "add rule inet binvault input icmpv6 type { nd-neighbor-solicit, "
		       "nd-neighbor-advert } ip6 hoplimit 255 accept\n");
	assert_ok(network_fence((const char *const[]){"db1", address}, 2, hosts, rules, &err),
		  &err);
	assert_string_equal(rules, "[Service]\nIPAddressAllow=198.51.100.7\n"
				   "IPAddressAllow=2001:db8::6\n");
	free(config);
}

static void a_time_server_is_asked_for_keys_and_for_the_time(void **state)
{
	static char rules[NETWORK_TEXT_SIZE];
	static const struct time_servers clocks = {.names = {"db1"}, .count = 1};
	static const struct time_servers unknown = {.names = {"time1"}, .count = 1};
	struct config *config = make_config(NULL, 0);
	struct error err = {0};

	(void)state;
	assert_ok(network_rules(config, &clocks, hosts, rules, &err), &err);
	assert_string_equal(
		rules, "add rule inet binvault output ip daddr 198.51.100.7 tcp dport 4460 accept\n"
		       "add rule inet binvault input ip saddr 198.51.100.7 tcp sport 4460 ct state "
		       "established accept\n"
		       "add rule inet binvault output ip daddr 198.51.100.7 udp dport 123 accept\n"
		       "add rule inet binvault input ip saddr 198.51.100.7 udp sport 123 ct state "
		       "established accept\n");
	assert_fails(network_rules(config, &unknown, hosts, rules, &err), &err, ERROR_USAGE,
		     "`time`: 'time1' has no address");
	free(config);
}

static void the_siem_is_one_more_way(void **state)
{
	static char rules[NETWORK_TEXT_SIZE];
	char name[] = "db1", unknown[] = "siem1";
	struct config *config = make_config(NULL, 0);
	struct error err = {0};

	(void)state;
	config->siem.host = name;
	config->siem.port = 6514;
	assert_ok(network_rules(config, &no_clocks, hosts, rules, &err), &err);
	assert_string_equal(
		rules, "add rule inet binvault output ip daddr 198.51.100.7 tcp dport 6514 accept\n"
		       "add rule inet binvault input ip saddr 198.51.100.7 tcp sport 6514 ct state "
		       "established accept\n");
	config->siem.host = unknown;
	assert_fails(network_rules(config, &no_clocks, hosts, rules, &err), &err, ERROR_USAGE,
		     "[siem] server: 'siem1' has no address");
	free(config);
}

static void a_server_without_an_address_opens_nothing(void **state)
{
	static char rules[NETWORK_TEXT_SIZE];
	char name[] = "primary";
	struct config *config = make_config(&(struct config_server){name, 3306}, 1);
	struct error err = {0};

	(void)state;
	assert_fails(network_rules(config, &no_clocks, hosts, rules, &err), &err, ERROR_USAGE,
		     "source orders: 'primary' has no address");
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_the_first_address_that_the_file_gives_it),
		cmocka_unit_test(only_the_way_to_each_server_is_opened),
		cmocka_unit_test(a_time_server_is_asked_for_keys_and_for_the_time),
		cmocka_unit_test(the_siem_is_one_more_way),
		cmocka_unit_test(a_server_without_an_address_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
