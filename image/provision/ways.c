#include "provision/ways.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "provision/network.h"
#include "provision/places.h"
#include "provision/text.h"
#include "provision/timekeeping.h"
#include "provision/tool.h"
#include "provision/unit.h"

#define HOSTS		"/run/binvault-hosts"
#define NETWORK		"/run/systemd/network"
#define TIME		"/run/binvault-time.conf"
#define TIME_CA		PLACE_CURRENT "time-ca.pem"
#define TIME_CREDENTIAL "/run/credentials/" UNIT_TIME "/time-ca.pem"
#define FORWARD_USER	"binvault-forward"

/* --- addresses and names --------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);

	return length > end_length && strcmp(name + length - end_length, end) == 0;
}

static bool is_of_networkd(const char *name)
{
	return ends_with(name, ".network") || ends_with(name, ".netdev") ||
	       ends_with(name, ".link");
}

static int copy_network_file(const char *name, struct error *err)
{
	static char text[PLACE_FILE_MAX];
	char from[512], to[512];

	snprintf(from, sizeof(from), PLACE_CURRENT "%s", name);
	snprintf(to, sizeof(to), NETWORK "/%s", name);
	if (text_read_if_there(from, text, PLACE_FILE_MAX, err) < 0)
		return err->code;
	return text_write(to, text, 0644, err);
}

static int copy_network_files(struct error *err)
{
	DIR *files = opendir(PLACE_CURRENT);
	const struct dirent *file;
	int r = folder_make(NETWORK, 0755, err);

	while (r == 0 && files && (file = readdir(files))) {
		if (is_of_networkd(file->d_name))
			r = copy_network_file(file->d_name, err);
	}
	if (files)
		closedir(files);
	return r;
}

/* --- who may go where ------------------------------------------------------------------------ */

static int write_fence(const char *unit, const char *const *names, size_t count, const char *hosts,
		       struct error *err)
{
	static char text[NETWORK_TEXT_SIZE];

	if (network_fence(names, count, hosts, text, err) < 0)
		return err->code;
	return unit_drop_in(unit, "10-servers", text, err);
}

static int fence_puller(const struct config_source *source, const char *hosts, struct error *err)
{
	const char *names[CONFIG_SERVERS_MAX];
	char unit[UNIT_NAME_SIZE];

	for (size_t i = 0; i < source->server_count; i++)
		names[i] = source->servers[i].host;
	unit_puller(source->name, unit);
	return write_fence(unit, names, source->server_count, hosts, err);
}

/* It knows how far the SIEM has the ledger in a directory of its own. */
static int set_forwarder(const struct config_siem *siem, const char *hosts, struct error *err)
{
	const struct passwd *user = getpwnam(FORWARD_USER);
	const char *const names[] = {siem->host};

	if (!siem->host)
		return 0;
	if (folder_make(PLACE_FORWARD_STATE, 0755, err) < 0)
		return err->code;
	if (!user || chown(PLACE_FORWARD_STATE, user->pw_uid, user->pw_gid) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, PLACE_FORWARD_STATE);
	return write_fence(UNIT_FORWARD, names, ARRAY_LENGTH(names), hosts, err);
}

/* Without a time server the unit that asks them does not start. */
static int set_clock(const struct time_servers *clocks, const char *hosts, struct error *err)
{
	char text[TIME_SETTINGS_SIZE];
	const char *names[TIME_SERVERS_MAX];

	if (clocks->count == 0)
		return 0;
	if (access(TIME_CA, R_OK) < 0)
		return error_set(err, ERROR_USAGE,
				 "`time` names servers, and the bundle has no `time-ca.pem` that "
				 "proves them");
	for (size_t i = 0; i < clocks->count; i++)
		names[i] = clocks->names[i];
	if (write_fence(UNIT_TIME, names, clocks->count, hosts, err) < 0)
		return err->code;
	time_settings(clocks, TIME_CREDENTIAL, text);
	return text_write(TIME, text, 0444, err);
}

int ways_open(const struct config *config, struct error *err)
{
	static const char *const nft[] = {"/usr/sbin/nft", "-f", "-", NULL};
	static char hosts[PLACE_FILE_MAX], times[PLACE_FILE_MAX], rules[NETWORK_TEXT_SIZE];
	struct time_servers clocks;

	if (text_read_if_there(PLACE_CURRENT "hosts", hosts, PLACE_FILE_MAX, err) < 0 ||
	    text_read_if_there(PLACE_CURRENT "time", times, PLACE_FILE_MAX, err) < 0 ||
	    time_servers_parse(times, &clocks, err) < 0 ||
	    network_rules(config, &clocks, hosts, rules, err) < 0 ||
	    text_write(HOSTS, hosts, 0444, err) < 0 || copy_network_files(err) < 0 ||
	    set_clock(&clocks, hosts, err) < 0 || set_forwarder(&config->siem, hosts, err) < 0)
		return err->code;
	for (size_t i = 0; i < config->source_count; i++) {
		if (fence_puller(&config->sources[i], hosts, err) < 0)
			return err->code;
	}
	if (tool_run(&(struct tool){.arguments = nft, .input = rules}, err) < 0 ||
	    unit_reload(err) < 0)
		return err->code;
	return unit_start("systemd-networkd.service", err);
}
