// Claims the session that a page has offered this browser: the answer sets its cookie, which no script can read.

const claimed = new Set();

export default function ({ data }) {
  if (!data?.code || claimed.has(data.code)) return;
  claimed.add(data.code);
  // Where it fails the name and the key are only not remembered; this page goes on with them.
  fetch("session", { method: "POST", body: data.code, credentials: "same-origin" }).catch(() => {});
}
