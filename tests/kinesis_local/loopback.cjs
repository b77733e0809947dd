// kinesis-local listens on every interface of the machine: this has it listen on loopback alone,
// on the address of it that LOOPBACK names, if one.
const { Server } = require("net");

const { listen } = Server.prototype;

Server.prototype.listen = function (at, ...others) {
  const host = process.env.LOOPBACK || "127.0.0.1";
  return listen.call(this, typeof at === "object" ? { ...at, host } : { port: at, host }, ...others);
};
