// The protocol's own checker of lexicons. Reads {"modules", "documents", "cases": [{"nsid", "record"}]} from standard
// input and writes, for each case, null when it is valid and the complaint when it is not.
const path = require('node:path')
const { createRequire } = require('node:module')

const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const { Lexicons, jsonToLex } = createRequire(path.join(asked.modules, 'package.json'))('@atproto/lexicon')
const lexicons = new Lexicons(asked.documents)

const said = asked.cases.map(({ nsid, record }) => {
  try {
    lexicons.assertValidRecord(nsid, jsonToLex(record))
    return null
  } catch (error) {
    return error.message
  }
})
console.log(JSON.stringify(said))
