// A PLC directory and a PDS in one process, until SIGTERM. Its only argument is JSON:
// {"modules": folder of package.json, "directory": where data goes, "plcPort": .., "pdsPort": .., "publicPort": .., "authority": .., "secrets": {..}}
// The PDS listens on pdsPort, and calls itself by publicPort: a proxy may stand between the two.
const path = require('node:path')
const { createRequire } = require('node:module')

const options = JSON.parse(process.argv[2])
const installed = createRequire(path.join(options.modules, 'package.json'))
const plc = installed('@did-plc/server')
const { PDS, envToCfg, envToSecrets } = installed('@atproto/pds')

const dns = require('node:dns')
const { Agent, setGlobalDispatcher } = installed('undici')

// What the PDS fetches from others: those under backline.fm are on this machine, with a certificate of this authority.
const lookup = (name, how, done) => dns.lookup(name.endsWith('.backline.fm') ? '127.0.0.1' : name, how, done)
setGlobalDispatcher(new Agent({ connect: { lookup, ca: options.authority ?? undefined } }))

const AUDIO_BYTES = 100 * 1024 * 1024 // the default refuses blobs over 5 MB

async function main() {
  const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: options.plcPort })
  await directory.start()
  const env = {
    devMode: true,
    port: options.publicPort,
    hostname: 'localhost',
    dataDirectory: options.directory,
    blobstoreDiskLocation: path.join(options.directory, 'blobs'),
    blobUploadLimit: AUDIO_BYTES,
    didPlcUrl: `http://localhost:${options.plcPort}`,
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    disableSsrfProtection: true, // the directory is on this machine
    handleBackupNameservers: [],
    trustedOAuthClients: [],
    rateLimitBypassIps: [],
    crawlers: [],
    ...options.secrets,
  }
  const config = envToCfg(env)
  config.service.port = options.pdsPort
  const server = await PDS.create(config, envToSecrets(env))
  await server.start()
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, async () => {
      await server.destroy()
      await directory.destroy()
      process.exit(0)
    })
  }
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
