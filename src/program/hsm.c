/* binvault-hsm: the one program that reaches the token; unwraps period keys, signs checkpoints and
 * manifests. */
#include "program/program.h"

#include <string.h>
#include <sys/types.h>

#include "io/channel.h"
#include "io/watchdog.h"
#include "signer/service.h"
#include "signer/signer.h"

/* A socket for the keeper alone. Before privileges are dropped. */
static int listen_for_keeper(const struct program *program, struct service_options *options,
			     struct error *err)
{
	char path[CONFIG_SOCKET_PATH_SIZE];
	gid_t gid;
	int r = program_peer(program, PROGRAM_USER_KEEPER, &options->keeper_uid, &gid, err);

	if (r == 0)
		r = config_socket(program->config, "hsm", path, err);
	if (r < 0)
		return r;
	options->listen_fd = channel_listen_for(path, options->keeper_uid, err);
	return options->listen_fd < 0 ? err->code : 0;
}

static int run(struct program *program, struct error *err)
{
	CLEANUP(signer_freep)
	struct signer *signer = NULL;
	CLEANUP(close_fdp)
	int listen_fd = -1;
	struct service_options options = {
		.listen_fd = -1,
		.connection = program->connection,
		.stop_fd = program_stop_fd(),
		.keeper_uid = (uid_t)-1,
	};
	int r = 0;

	if (program->provision && program->connection < 0)
		return error_set(err, ERROR_USAGE,
				 "--provision is for `binvault init`, which gives a --connection");
	if (program->connection < 0)
		r = listen_for_keeper(program, &options, err);
	listen_fd = options.listen_fd;
	if (r == 0)
		r = program_drop_privileges(program, err);
	if (r == 0)
		r = sandbox_seal(SANDBOX_HSM, err);
	if (r == 0)
		r = signer_open(program->config, program->provision, &signer, err);
	if (r < 0) {
		service_tell(&options, err);
		return r;
	}
	options.signer = signer;
	memcpy(options.config_hash.bytes, program->config->hash, sizeof(options.config_hash.bytes));
	watchdog_ready();
	return service_run(&options, err);
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-hsm",
		.role = SANDBOX_HSM,
		.takes_connection = true,
		.takes_provision = true,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
