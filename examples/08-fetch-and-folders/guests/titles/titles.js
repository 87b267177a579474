// Fetches pages, and lets Lua find their titles.
import { callString } from "wippy:runtime/funcs@0.1.0";

// In an export that returns a result, what is thrown becomes its error.
export async function title(url) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return callString("app:title_of", await answer.text());
  } catch (error) {
    throw String(error.payload ?? error.message ?? error);
  }
}
