/*
 * binvault-volume: the data volume is opened, at the first start it is made.
 *
 * XFS in LUKS2 on the partition `binvault_data`, wherever it is; if there is none, one is made of
 * what is left of the boot disk. Its key is random and sealed to this machine's TPM, to PCR 7 and
 * 12 as they are and to PCR 11 as whoever builds releases has signed it: an update opens it,
 * another machine, another firmware key or another image does not.
 *
 * Where the image names custodians there is a second key, the recovery key: it is made here, leaves
 * in shares that are encrypted for each of them, and is kept nowhere. With it in the letter box the
 * volume is opened once more and sealed to the TPM that is there then.
 *
 * Order: partition → LUKS2 labelled `binvault-new` → shares written → sealed, the first key removed
 * → XFS → synced → label `binvault-data`. What is labelled new holds nothing and is made again;
 * what is labelled data is only ever opened. A failure is one line `VOLUME-REFUSED …` on the
 * console, and nothing of the vault starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "provision/letterbox.h"
#include "provision/recovery.h"
#include "provision/text.h"
#include "provision/tool.h"
#include "provision/volume_header.h"

#define PARTITION	 "/dev/disk/by-partlabel/binvault_data"
#define PARTITION_TABLES "/usr/lib/binvault/repart.d"
#define MAPPED		 "/dev/mapper/binvault"
#define KEY_FILE	 "/run/binvault-volume/key"
#define KEY_SIZE	 64
#define CUSTODIANS	 "/usr/lib/binvault/custodians.pem"
#define THRESHOLD	 "/usr/lib/binvault/threshold"
#define RECOVERY_FILE	 "/run/binvault-volume/recovery"
#define SHARES_FILE	 "/run/binvault-volume/shares" /* binvault-configure keeps them */
#define BOX_IN		 "/dev/disk/by-partlabel/binvault_in"
#define BOX_OUT		 "/dev/disk/by-partlabel/binvault_out"
#define TEXT_SIZE	 256
#define PUBLIC_KEY	 "/usr/lib/binvault/pcr.pub"
#define SIGNATURE	 "/run/systemd/tpm2-pcr-signature.json"
#define WAIT_USEC	 100000
#define WAIT_COUNT	 100 /* 10 s: until udev has seen a partition */

/* --- the partition --------------------------------------------------------------------------- */

static bool appears(const char *path, int count)
{
	for (int i = 0; i < count; i++) {
		if (access(path, F_OK) == 0)
			return true;
		usleep(WAIT_USEC);
	}
	return false;
}

static int write_zeros(const char *path, struct error *err)
{
	static const uint8_t zeros[VOLUME_HEADER_SIZE];
	CLEANUP(close_fdp)
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros) || fsync(fd) < 0)
		return error_set_errno(err, ERROR_IO, errno, "%s", path);
	return 0;
}

/* What lay there before the partition was made is nobody's any more. */
static int make_partition(struct error *err)
{
	static const char *const arguments[] = {"/usr/bin/systemd-repart", "--dry-run=no",
						"--definitions=" PARTITION_TABLES, "--no-pager",
						NULL};
	const struct tool tool = {.arguments = arguments, .output = "/run/binvault-volume/repart"};

	printf("VOLUME there is no partition binvault_data yet: making one on the boot disk\n");
	if (tool_run(&tool, err) < 0)
		return error_prefix(err,
				    "the boot disk has no room for the data volume, which needs "
				    "1 GiB, or cannot be written to");
	if (!appears(PARTITION, WAIT_COUNT))
		return error_set(err, ERROR_FAILED, PARTITION " did not appear");
	return write_zeros(PARTITION, err);
}

static int read_kind(enum volume_kind *ret_kind, struct error *err)
{
	static uint8_t bytes[VOLUME_HEADER_SIZE];
	CLEANUP(close_fdp)
	int fd = open(PARTITION, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);

	if (size < 0)
		return error_set_errno(err, ERROR_IO, errno, PARTITION);
	*ret_kind = volume_kind(bytes, (size_t)size);
	return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

static int attach(struct error *err)
{
	static const char *const arguments[] = {"/usr/bin/systemd-cryptsetup",
						"attach",
						"binvault",
						PARTITION,
						"-",
						"tpm2-device=auto,tpm2-signature=" SIGNATURE
						",headless=1,tries=1",
						NULL};
	const struct tool tool = {.arguments = arguments};

	if (tool_run(&tool, err) < 0)
		return error_prefix(
			err, "the TPM does not give the key of the data volume: this is another "
			     "machine or TPM, or Secure Boot, its keys or the image are not those "
			     "that it was sealed to. Nothing was opened. The way back is in "
			     "image/README.md, 'When the volume does not open'");
	return appears(MAPPED, WAIT_COUNT) ? 0 : error_set(err, ERROR_FAILED, MAPPED " is missing");
}

/* --- making ---------------------------------------------------------------------------------- */

/* The first key, which only lives until the TPM has another. /run is memory. */
static int make_key(struct error *err)
{
	uint8_t key[KEY_SIZE];
	CLEANUP(close_fdp)
	int fd = open(KEY_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = 0;

	if (fd < 0 || getrandom(key, sizeof(key), 0) != sizeof(key) ||
	    write(fd, key, sizeof(key)) != sizeof(key))
		r = error_set_errno(err, ERROR_FAILED, errno, KEY_FILE);
	explicit_bzero(key, sizeof(key));
	return r;
}

/* The key is random as it is: its derivation need not be slow. */
static int format(struct error *err)
{
	static const char *const arguments[] = {"/usr/sbin/cryptsetup",
						"luksFormat",
						"--batch-mode",
						"--type=luks2",
						"--label=" VOLUME_LABEL_NEW,
						"--pbkdf=pbkdf2",
						"--pbkdf-force-iterations=1000",
						"--key-file=" KEY_FILE,
						PARTITION,
						NULL};

	return tool_run(&(struct tool){.arguments = arguments}, err);
}

/* The key of KEY_FILE opens it; from now on what the TPM holds does too. */
static int seal(struct error *err)
{
	static const char *const arguments[] = {"/usr/bin/systemd-cryptenroll",
						"--unlock-key-file=" KEY_FILE,
						"--tpm2-device=auto",
						"--tpm2-pcrs=7+12",
						"--tpm2-public-key=" PUBLIC_KEY,
						"--tpm2-public-key-pcrs=11",
						"--tpm2-signature=" SIGNATURE,
						PARTITION,
						NULL};

	if (tool_run(&(struct tool){.arguments = arguments}, err) < 0)
		return error_prefix(
			err, "the key of the data volume cannot be sealed: is there a TPM "
			     "2.0, and was this started by Secure Boot from a signed image?");
	return 0;
}

/* Then nothing opens it but the TPM and the custodians. */
static int forget_key(struct error *err)
{
	static const char *const arguments[] = {"/usr/bin/systemd-cryptenroll",
						"--wipe-slot=password", PARTITION, NULL};

	return tool_run(&(struct tool){.arguments = arguments}, err);
}

/* --- the recovery key ------------------------------------------------------------------------ */

static int send_shares(const char *key, struct error *err)
{
	static char shares[LETTER_TEXT_MAX];
	char threshold[TEXT_SIZE];
	int r = text_read(THRESHOLD, threshold, sizeof(threshold), err);

	if (r == 0)
		r = recovery_seal(CUSTODIANS, (unsigned)strtoul(threshold, NULL, 10), key, shares,
				  sizeof(shares), err);
	if (r == 0)
		r = text_write(SHARES_FILE, shares, 0600, err);
	return r < 0 ? r : letter_put(BOX_OUT, shares, err);
}

static int make_recovery_key(struct error *err)
{
	static const char *const arguments[] = {"/usr/bin/systemd-cryptenroll",
						"--unlock-key-file=" KEY_FILE, "--recovery-key",
						PARTITION, NULL};
	const struct tool tool = {.arguments = arguments, .output = RECOVERY_FILE};
	char key[TEXT_SIZE];
	int r;

	if (access(CUSTODIANS, F_OK) < 0) {
		printf("VOLUME this image names no custodians: there is no recovery key\n");
		return 0;
	}
	r = tool_run(&tool, err);
	if (r == 0)
		r = text_read(RECOVERY_FILE, key, sizeof(key), err);
	unlink(RECOVERY_FILE);
	if (r == 0) {
		key[strcspn(key, "\n")] = '\0';
		r = send_shares(key, err);
	}
	explicit_bzero(key, sizeof(key));
	return r < 0 ? error_prefix(err, "the recovery key") : 0;
}

/* The custodians' letter has done its work when the volume is sealed to the TPM that is here now.
 */
static int recover(const char *key, struct error *err)
{
	/* A wrong key must cost nothing. */
	static const char *const test[] = {"/usr/sbin/cryptsetup", "open",    "--test-passphrase",
					   "--key-file=" KEY_FILE, PARTITION, NULL};
	/* Before the new seal: the old one has the same policy, and would be taken for the new one.
	 */
	static const char *const wipe[] = {"/usr/bin/systemd-cryptenroll", "--wipe-slot=tpm2",
					   PARTITION, NULL};
	int r = text_write(KEY_FILE, key, 0600, err);

	printf("VOLUME opening the data volume by its recovery key, and sealing it to this TPM\n");
	if (r == 0)
		r = tool_run(&(struct tool){.arguments = test}, err);
	if (r == 0)
		r = tool_run(&(struct tool){.arguments = wipe}, err);
	if (r == 0)
		r = seal(err);
	unlink(KEY_FILE);
	if (r < 0)
		return error_prefix(err, "the recovery key in binvault_in does not open the data "
					 "volume");
	return letter_put(BOX_IN, "", err);
}

static int recover_if_asked(struct error *err)
{
	char letter[TEXT_SIZE];
	const char *key;
	int r = 0;

	if (access(BOX_IN, F_OK) < 0)
		return 0;
	r = letter_begin(BOX_IN, letter, sizeof(letter), err);
	key = r == 0 ? recovery_letter(letter) : NULL;
	if (key)
		r = recover(key, err);
	explicit_bzero(letter, sizeof(letter));
	return r;
}

static int make_file_system(struct error *err)
{
	static const char *const arguments[] = {"/usr/sbin/mkfs.xfs", "-q",   "-f", "-L",
						"binvault",	      MAPPED, NULL};

	return tool_run(&(struct tool){.arguments = arguments}, err);
}

static int finish(struct error *err)
{
	static const char *const arguments[] = {"/usr/sbin/cryptsetup", "config", PARTITION,
						"--label=" VOLUME_LABEL_MADE, NULL};

	sync();
	return tool_run(&(struct tool){.arguments = arguments}, err);
}

static int make(struct error *err)
{
	int r;

	printf("VOLUME making the data volume, sealed to this machine's TPM\n");
	r = make_key(err);
	if (r == 0)
		r = format(err);
	if (r == 0)
		r = make_recovery_key(err);
	if (r == 0)
		r = seal(err);
	if (r == 0)
		r = forget_key(err);
	unlink(KEY_FILE);
	if (r == 0)
		r = attach(err);
	if (r == 0)
		r = make_file_system(err);
	return r < 0 ? r : finish(err);
}

static int open_volume(struct error *err)
{
	enum volume_kind kind = VOLUME_FOREIGN;

	if (!appears(PARTITION, 1) && make_partition(err) < 0)
		return err->code;
	if (read_kind(&kind, err) < 0)
		return err->code;
	switch (kind) {
	case VOLUME_MADE:
		return recover_if_asked(err) < 0 ? err->code : attach(err);
	case VOLUME_BLANK:
	case VOLUME_UNFINISHED:
		return make(err);
	case VOLUME_FOREIGN:
		break;
	}
	return error_set(err, ERROR_REFUSED,
			 "the partition binvault_data holds something that is not a data volume of "
			 "this program, and is left as it is. If it may go, write zeros over its "
			 "first MiB");
}

int main(void)
{
	struct error err = {0};

	setvbuf(stdout, NULL, _IONBF, 0);
	if (open_volume(&err) < 0) {
		printf("VOLUME-REFUSED %s\n", err.message);
		return 1;
	}
	printf("VOLUME the data volume is open\n");
	return 0;
}
