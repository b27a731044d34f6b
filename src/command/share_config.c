#include "command/share_config.h"

#include <errno.h>
#include <grp.h>
#include <string.h>

#include "base/checked.h"
#include "command/commands.h"

#define NFS_PORT     2049
#define SMB_PORT     445
#define EXPORT_GROUP "binvault-export"
#define NOBODY	     65534
#define FIRST_USER   64000 /* beyond what anybody else is given, and no owner of anything */

static const char *const kind_names[] = {
	[SHARE_NFS] = "nfs",
	[SHARE_SAMBA] = "samba",
	[SHARE_SAMBA_USERS] = "samba-users",
	[SHARE_NFS_FILTER] = "nfs-filter",
	[SHARE_SAMBA_FILTER] = "samba-filter",
};

const char *share_kind_name(enum share_kind kind)
{
	return (size_t)kind < ARRAY_LENGTH(kind_names) ? kind_names[kind] : NULL;
}

static void write_addresses(const struct config_client *client, FILE *stream)
{
	for (size_t i = 0; i < client->address_count; i++)
		fprintf(stream, "%s%s", i ? " " : "", client->addresses[i]);
}

/*
 * A client sees its own directory as the whole of the server (fsid=0), whoever it says that it is,
 * it reads as the group of what is exported. subtree_check: a file handle that somebody made up for
 * the archive beside the directory, or for another client's, is refused.
 */
static void write_nfs(const struct config *config, gid_t gid, FILE *stream)
{
	for (size_t i = 0; i < config->client_count; i++) {
		const struct config_client *client = &config->clients[i];

		fprintf(stream, "%s/%s", config->export_path, client->name);
		for (size_t k = 0; k < client->address_count; k++)
			fprintf(stream,
				" %s(ro,fsid=0,subtree_check,all_squash,anonuid=%d,anongid=%u,"
				"sec=sys,xprtsec=mtls)",
				client->addresses[k], NOBODY, (unsigned)gid);
		fputc('\n', stream);
	}
}

static void write_samba_global(const struct config *config, FILE *stream)
{
	static const char text[] = "[global]\n"
				   "server role = standalone server\n"
				   "smb ports = 445\n"
				   "disable netbios = yes\n"
				   "disable spoolss = yes\n"
				   "load printers = no\n"
				   "printcap name = /dev/null\n"
				   "server min protocol = SMB3_11\n"
				   "server signing = mandatory\n"
				   "server smb encrypt = required\n"
				   "map to guest = never\n"
				   "restrict anonymous = 2\n"
				   "access based share enum = yes\n"
				   "hosts deny = ALL\n"
				   "hosts allow =";

	fputs(text, stream);
	for (size_t i = 0; i < config->client_count; i++) {
		fputc(' ', stream);
		write_addresses(&config->clients[i], stream);
	}
	fputc('\n', stream);
}

/* The user is called as the client is. */
static void write_samba(const struct config *config, FILE *stream)
{
	write_samba_global(config, stream);
	for (size_t i = 0; i < config->client_count; i++) {
		const struct config_client *client = &config->clients[i];

		fprintf(stream, "\n[%s]\npath = %s/%s\nvalid users = %s\nhosts deny = ALL\n",
			client->name, config->export_path, client->name, client->name);
		fputs("hosts allow = ", stream);
		write_addresses(client, stream);
		fputs("\nforce group = " EXPORT_GROUP
		      "\nread only = yes\nfollow symlinks = no\nguest ok = no\n",
		      stream);
	}
}

/* Besides the clients, the two that smbd looks up by itself. */
static void write_samba_users(const struct config *config, FILE *stream)
{
	static const char nowhere[] = "/nonexistent:/usr/sbin/nologin";

	fprintf(stream, "root:x:0:0::%s\nnobody:x:%d:%d::%s\n", nowhere, NOBODY, NOBODY, nowhere);
	for (size_t i = 0; i < config->client_count; i++)
		fprintf(stream, "%s:x:%zu:%d::%s\n", config->clients[i].name, FIRST_USER + i,
			NOBODY, nowhere);
}

static bool is_ipv6(const char *address)
{
	return strchr(address, ':') != NULL;
}

/* One family's clients; nft refuses an empty set. */
static void write_rules(const struct config *config, bool ipv6, unsigned port, FILE *stream)
{
	const char *family = ipv6 ? "ip6" : "ip";

	for (size_t i = 0; i < config->client_count; i++) {
		const struct config_client *client = &config->clients[i];

		for (size_t k = 0; k < client->address_count; k++) {
			const char *address = client->addresses[k];

			if (is_ipv6(address) != ipv6)
				continue;
			fprintf(stream,
				"add rule inet binvault input %s saddr %s tcp dport %u accept\n"
				"add rule inet binvault output %s daddr %s tcp sport %u "
				"ct state established accept\n",
				family, address, port, family, address, port);
		}
	}
}

/* These two files have a syntax in which not every path can be said. */
static int check_path(const struct config *config, struct error *err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-";

	if (config->client_count == 0)
		return error_set(
			err, ERROR_USAGE,
			"%s has no section [client NAME]: nobody is to read over the share",
			config->path);
	if (config->export_path[strspn(config->export_path, plain)] != '\0')
		return error_set(err, ERROR_USAGE,
				 "[export] path '%s': for a share it may hold letters, digits and "
				 "/ . _ - only",
				 config->export_path);
	return 0;
}

int share_config_write(const struct config *config, enum share_kind kind, gid_t gid, FILE *stream,
		       struct error *err)
{
	unsigned port = kind == SHARE_NFS_FILTER ? NFS_PORT : SMB_PORT;

	if (check_path(config, err) < 0)
		return err->code;
	switch (kind) {
	case SHARE_NFS:
		write_nfs(config, gid, stream);
		break;
	case SHARE_SAMBA:
		write_samba(config, stream);
		break;
	case SHARE_SAMBA_USERS:
		write_samba_users(config, stream);
		break;
	case SHARE_NFS_FILTER:
	case SHARE_SAMBA_FILTER:
	default:
		write_rules(config, false, port, stream);
		write_rules(config, true, port, stream);
		break;
	}
	if (fflush(stream) != 0 || ferror(stream))
		return error_set_errno(err, ERROR_IO, errno,
				       "writing what the share's server reads");
	return 0;
}

static int run(struct command_context *context, struct error *err)
{
	const char *wanted = context->arguments[0], *name;
	const struct group *group = getgrnam(EXPORT_GROUP);
	const struct config *config;

	if (command_config(context, &config, err) < 0)
		return err->code;
	if (!group)
		return error_set(err, ERROR_NOT_FOUND,
				 "there is no group " EXPORT_GROUP ": tools/create_users makes it");
	for (enum share_kind kind = 0; (name = share_kind_name(kind)); kind++) {
		if (strcmp(name, wanted) == 0)
			return share_config_write(config, kind, group->gr_gid, stdout, err);
	}
	return error_set(err, ERROR_USAGE,
			 "'%.40s': it is nfs, samba, samba-users, nfs-filter or samba-filter",
			 wanted);
}

const struct command command_share_config = {
	.verb = "share config",
	.arguments = "nfs|samba|samba-users|nfs-filter|samba-filter",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "print what the server of the share reads: exports, smb.conf, or its nft rules",
	.description =
		"Each [client NAME] gets its directory below [export] path, read-only, from its "
		"addresses alone. nfs: lines for /etc/exports.d, for NFS 4.2 over TLS with a "
		"certificate of both sides (xprtsec=mtls). samba: a whole smb.conf, SMB 3.1.1 with "
		"encryption; the client logs in as a user who is called as it is. samba-users: "
		"these users in the form of passwd(5), for an smbd that is shown it as its "
		"/etc/passwd. The filters "
		"are rules for nft -f that let the clients in to the one port.",
	.run = run,
};
