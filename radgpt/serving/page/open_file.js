async (current) => {
  // Read in the browser: nothing is uploaded, and no copy of a report is left on the server.
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".txt,.text,.md,text/plain";
  const chosen = await new Promise((resolve) => {
    input.addEventListener("change", () => resolve(input.files[0]));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
  if (!chosen) return current;
  if (chosen.size > 1000000) {
    window.alert("The file is too large for a report.");
    return current;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await chosen.arrayBuffer());
  } catch {
    window.alert("The file is not UTF-8 text.");
    return current;
  }
}
