// The official TypeScript client: lists and calls everything, and writes what it saw as JSON.
// usage: node client.mjs stdio PROGRAM [ARGUMENT…] | node client.mjs http|sse URL
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, target, ...args] = process.argv.slice(2);
const transport = {
  stdio: () => new StdioClientTransport({ command: target, args }),
  http: () => new StreamableHTTPClientTransport(new URL(target)),
  sse: () => new SSEClientTransport(new URL(target)),
}[kind]();

const client = new Client({ name: "kepler-test", version: "1" });
await client.connect(transport);
const seen = { server: client.getServerVersion(), answers: {} };
seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
// The client itself checks each structured answer against the schema that listTools gave.
for (const name of ["get_cluster_carbon_summary", "list_workloads_by_compliance", "get_regional_comparison", "get_power_hotspots"]) {
  const answer = await client.callTool({ name, arguments: {} });
  seen.answers[name] = { isError: answer.isError ?? false, structured: typeof answer.structuredContent };
}
const mistake = await client.callTool({ name: "assess_workload_compliance", arguments: { workload_name: "x", region: "seol" } });
seen.mistake = { isError: mistake.isError, text: mistake.content[0].text };
seen.resources = (await client.listResources()).resources.length;
seen.templates = (await client.listResourceTemplates()).resourceTemplates.length;
seen.prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
seen.intensity = JSON.parse((await client.readResource({ uri: "carbon-intensity://FR" })).contents[0].text).id;
await client.close();
console.log(JSON.stringify(seen));
