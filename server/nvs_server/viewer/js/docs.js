// The description of the API, shown by Swagger UI, which can send its requests too.

import { at } from "./lib/root.js";

window.SwaggerUIBundle({
  url: at("openapi.json"),
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
