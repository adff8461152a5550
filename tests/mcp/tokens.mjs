// Counts tokens: a list of texts as JSON on standard input, a list of numbers on standard output.
import { encode } from "gpt-tokenizer/encoding/o200k_base";

let text = "";
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(JSON.parse(text).map((one) => encode(one).length)));
