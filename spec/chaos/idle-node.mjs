/** Stands for a node where only its process matters: it says that it runs and ends with its parent, or as told. */
process.once("disconnect", () => process.exit(0));
process.once("SIGUSR1", () => process.exit(3));
process.stderr.write("idle node\n");
setInterval(() => undefined, 60_000);
