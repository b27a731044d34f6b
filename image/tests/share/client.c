/*
 * A restore host inside the vault's own machine: mounts the share with the kernel's NFS client, as
 * it should and in every way in which it must not be possible. Part of no image but the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selftest/source.h"
#include "selftest/tap.h"

#define GIVEN  "/usr/lib/binvault/share-test/"
#define PLACE  "/run/share-test/"
#define MOUNT  PLACE "mount"
#define EXPORT "/var/lib/binvault/export/restore1/"

#define OPTIONS                                                                                    \
	"addr=127.0.0.1,clientaddr=127.0.0.1,proto=tcp,sec=sys,soft,retrans=1,timeo=100,actimeo=0"
#define V42  "vers=4.2,"
#define MTLS ",xprtsec=mtls"

static bool copy(const char *from, const char *to)
{
	char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	ssize_t got = in < 0 || out < 0 ? -1 : read(in, bytes, sizeof(bytes));
	bool whole = got > 0 && write(out, bytes, (size_t)got) == got;

	close(in);
	close(out);
	return whole;
}

/* The certificate and key that the client shows from now on. */
static void present(const char *name)
{
	char certificate[128], key[128];

	snprintf(certificate, sizeof(certificate), GIVEN "%s.pem", name);
	snprintf(key, sizeof(key), GIVEN "%s.key", name);
	if (!copy(certificate, PLACE "client.pem") || !copy(key, PLACE "client.key"))
		tap_result(false, "share: the client has a certificate", "%s", strerror(errno));
}

/* 0, or errno. */
static int attach(const char *source, const char *options)
{
	return mount(source, MOUNT, "nfs4", MS_NODEV | MS_NOSUID, options) < 0 ? errno : 0;
}

/* For this reason and no other: one of no server at all would be no refusal. */
static void assert_refused(const char *name, const char *source, const char *options, int reason)
{
	int code = attach(source, options);

	tap_result(code == reason, name, "'%s'", code ? strerror(code) : "it was mounted");
	if (code == 0)
		umount2(MOUNT, MNT_DETACH);
}

static bool attached(const char *name)
{
	int code = attach("127.0.0.1:/", V42 OPTIONS MTLS);

	tap_result(code == 0, name, "%s", strerror(code));
	return code == 0;
}

static bool same_bytes(const char *left, const char *right)
{
	static char a[65536], b[65536];
	int one = open(left, O_RDONLY | O_CLOEXEC), other = open(right, O_RDONLY | O_CLOEXEC);
	size_t total = 0;
	bool same = one >= 0 && other >= 0;

	while (same) {
		ssize_t got = read(one, a, sizeof(a)), wanted = 0;

		while (wanted < got) {
			ssize_t more = read(other, b + wanted, (size_t)(got - wanted));

			if (more <= 0)
				break;
			wanted += more;
		}
		same = got >= 0 && wanted == got && memcmp(a, b, (size_t)got) == 0;
		if (got <= 0) {
			same = same && read(other, b, 1) == 0;
			break;
		}
		total += (size_t)got;
	}
	tap_comment("share: %zu bytes were compared", total);
	close(one);
	close(other);
	return same && total > 0;
}

static void read_and_write(void)
{
	tap_result(same_bytes(GIVEN "data", MOUNT "/look/data"),
		   "share: what is read is what was exported, byte for byte", "%s",
		   strerror(errno));
	tap_result(open(MOUNT "/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS,
		   "share: the server refuses to write", "%s", strerror(errno));
	tap_result(access(MOUNT "/other", F_OK) < 0 && access(MOUNT "/../restore2", F_OK) < 0,
		   "share: nothing of another client is seen", "it is");
}

/* As the keeper does (keeper/export_directory.c): first the name, then the files. */
static void withdraw(void)
{
	bool seen = access(MOUNT "/look/data", R_OK) == 0;

	rename(EXPORT "look", "/var/lib/binvault/export/restore1:look.partial");
	tap_result(seen && access(MOUNT "/look", F_OK) < 0, "share: what is withdrawn is gone",
		   "seen before: %d, now: %s", seen, strerror(errno));
	rename("/var/lib/binvault/export/restore1:look.partial", EXPORT "look");
	tap_result(access(MOUNT "/look/data", R_OK) == 0, "share: and the control is there again",
		   "%s", strerror(errno));
}

static void check_rules(void)
{
	static const char *const arguments[] = {"/usr/sbin/nft", "list",  "chain", "inet",
						"binvault",	 "input", NULL};
	static char text[SOURCE_SIZE];

	source_program(arguments, text);
	tap_result(strstr(text, "ip saddr 192.0.2.9 tcp dport 2049 accept") != NULL,
		   "share: the packet filter lets a client in to the port", "%s", text);
}

int main(void)
{
	present("client");
	if (attached("share: a client with a certificate mounts it")) {
		read_and_write();
		withdraw();
		umount2(MOUNT, MNT_DETACH);
	}
	assert_refused("share: without TLS it is refused", "127.0.0.1:/", V42 OPTIONS, EPERM);
	assert_refused("share: TLS without a certificate of the client is refused", "127.0.0.1:/",
		       V42 OPTIONS ",xprtsec=tls", EPERM);
	assert_refused("share: an older NFS is refused", "127.0.0.1:/", "vers=4.1," OPTIONS MTLS,
		       EPROTONOSUPPORT);
	assert_refused("share: the directory of another client is refused",
		       "127.0.0.1:/var/lib/binvault/export/restore2", V42 OPTIONS MTLS, ENOENT);
	present("foreign");
	assert_refused("share: a certificate of another CA is refused", "127.0.0.1:/",
		       V42 OPTIONS MTLS, EACCES);
	present("client");
	if (attached("share: with the right one again it is mounted"))
		umount2(MOUNT, MNT_DETACH);
	check_rules();
	puts("SHARE-TEST ENDED");
	return 0;
}
