// kinesis-local listens on every interface of the machine: this has it listen on loopback alone.
const { Server } = require("net");

const { listen } = Server.prototype;

Server.prototype.listen = function (at, ...others) {
  const host = "127.0.0.1";
  return listen.call(this, typeof at === "object" ? { ...at, host } : { port: at, host }, ...others);
};
